"""How fast Channeling is beside a plain relay and other gateways: `python -m bench.speed --help`."""
