// The admin API: one call, one promise. The token goes in a header, never in a URL; nothing is sent by cookies.

/** An answer that is no success, or none: `status` 0 where the server was not reached. */
export class ApiError extends Error {
  constructor(status, message, requestId) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.requestId = requestId ?? null;
  }
}

export class Api {
  /** `whenRefused` is called with what the server said when it no longer takes the token. */
  constructor(token, whenRefused) {
    this.token = token;
    this.whenRefused = whenRefused;
  }

  get(path, query = {}, signal = undefined) {
    return this.#json("GET", path, { query, signal });
  }

  send(method, path, body = undefined, query = {}) {
    return this.#json(method, path, { body, query });
  }

  /** The answer's bytes, such as those of an export. */
  async bytes(path, query) {
    return (await this.#answer("GET", path, { query })).blob();
  }

  async #json(method, path, options) {
    const answer = await this.#answer(method, path, options);
    return answer.status === 204 ? null : answer.json();
  }

  async #answer(method, path, { query = {}, body, signal }) {
    if (!/^[\x21-\x7e]+$/.test(this.token)) {
      // No header can hold it.
      this.whenRefused("This is no admin token.");
      throw new ApiError(401, "This is no admin token.");
    }
    const url = new URL(`api/${path}`, document.baseURI);
    for (const [name, value] of Object.entries(query)) {
      if (value !== null && value !== undefined) url.searchParams.set(name, value);
    }
    const headers = { authorization: `Bearer ${this.token}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    let answer;
    try {
      answer = await fetch(url, {
        method, headers, signal, credentials: "omit", cache: "no-store", redirect: "error",
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, "the server was not reached");
    }
    if (answer.ok) return answer;
    const failure = await failureOf(answer);
    if (answer.status === 401) this.whenRefused(failure.message);
    throw failure;
  }
}

async function failureOf(answer) {
  try {
    const { error, request_id: requestId } = await answer.json();
    return new ApiError(answer.status, error.message, requestId);
  } catch {
    return new ApiError(answer.status, `the server answered with status ${answer.status}`);
  }
}

/** A part of a path; "." and ".." would be taken away by the browser, and stand for no project. */
export function part(text) {
  return encodeURIComponent(text).replaceAll(".", "%2E");
}
