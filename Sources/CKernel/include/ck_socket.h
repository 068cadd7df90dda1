// Stream sockets that never block, on plain integers and bytes. Where a function returns int,
// failure is a negative errno.
#pragma once

#include <stdint.h>

// A socket connected to the UNIX socket `path`. -EAGAIN: the listener's queue is full; -ENOTSOCK:
// the path is something else.
int ck_connect_unix(const char *path);

// Room for any internet address.
enum { CK_ADDRESS_BYTES = 28 };

// Looks up where `host` and `port` are: writes at most `limit` addresses of CK_ADDRESS_BYTES each
// and returns how many. Asks the resolver only for a name, which may take seconds.
int ck_resolve(const char *host, const char *port, uint8_t *addresses, int limit);

// A socket that is connected to a resolved address, or on its way to be.
int ck_connect_address(const uint8_t *address);

// Whether the connection stands: 1, 0 while it is being made, or why it could not.
int ck_connection_state(int descriptor);

// Bytes read, 0 at the end, -EAGAIN where there is nothing yet.
int64_t ck_receive(int descriptor, void *bytes, uint64_t count);

// Bytes taken, -EAGAIN where there is no room. A gone peer is -EPIPE, without a signal.
int64_t ck_send(int descriptor, const void *bytes, uint64_t count);

// The process that made the listening socket behind a UNIX connection.
int ck_peer_pid(int descriptor);
