"""What writing a project can be refused for; the command line and the admin API put it into their words."""


class ProjectError(Exception):
    """A project cannot be read or changed as asked; the message says why and holds no secret."""


class ProjectMissing(ProjectError):
    """No project has this id."""


class ProjectExists(ProjectError):
    """A project with this id is there already."""


class ProjectInvalid(ProjectError):
    """An id, a rule or a secret is malformed."""


class SecretsTooLarge(ProjectError):
    """All secrets of a project together are over the size that one KMS call can encrypt."""


class TooManySecrets(ProjectError):
    """Two HMAC secrets are active already; a third has no place."""


class SecretsBusy(ProjectError):
    """Others kept changing the same secrets; nothing was written."""


class PriceMissing(ProjectError):
    """No custom price has this id."""


class SecretMissing(ProjectError):
    """The project has no HMAC secret with this fingerprint."""


class KeyMissing(ProjectError):
    """The project has no key of this provider."""
