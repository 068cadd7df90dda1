// Parsers of /proc and /sys texts into typed values. A pure room: bytes come in, values go out.
