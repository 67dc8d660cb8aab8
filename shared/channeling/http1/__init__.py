"""A lean HTTP/1.1 client: asyncio's own transports, httptools' parser, a pool of connections, and nothing else."""
