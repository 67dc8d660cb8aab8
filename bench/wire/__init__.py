"""The budget study over real sockets and in real time: Channeling and other gateways as they are installed."""
