#define _GNU_SOURCE
#include "ck_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(sizeof(struct sockaddr_in6) == CK_ADDRESS_BYTES, "room for any address");

static int start(int family) {
    int descriptor = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return descriptor < 0 ? -errno : descriptor;
}

static int give_up(int descriptor, int error) {
    close(descriptor);
    return -error;
}

int ck_connect_unix(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0) return -ENOENT;
    if (length >= sizeof address.sun_path) return -ENAMETOOLONG;
    memcpy(address.sun_path, path, length);
    int descriptor = start(AF_UNIX);
    if (descriptor < 0) return descriptor;
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0) return descriptor;
    int error = errno;
    // Linux refuses what is no socket as if nobody listened.
    struct stat status;
    if (error == ECONNREFUSED && stat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
        error = ENOTSOCK;
    return give_up(descriptor, error);
}

static int resolver_error(int code) {
    switch (code) {
    case EAI_SYSTEM: return -errno;
    case EAI_MEMORY: return -ENOMEM;
    case EAI_AGAIN: return -ETIMEDOUT;
    default: return -ENXIO;
    }
}

int ck_resolve(const char *host, const char *port, uint8_t *addresses, int limit) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host, port, &hints, &found);
    if (code == EAI_NONAME) {
        hints.ai_flags = 0;
        code = getaddrinfo(host, port, &hints, &found);
    }
    if (code != 0) return resolver_error(code);
    int count = 0;
    for (struct addrinfo *next = found; next != NULL && count < limit; next = next->ai_next) {
        if (next->ai_addrlen > CK_ADDRESS_BYTES) continue;
        uint8_t *address = addresses + count++ * CK_ADDRESS_BYTES;
        memset(address, 0, CK_ADDRESS_BYTES);
        memcpy(address, next->ai_addr, next->ai_addrlen);
    }
    freeaddrinfo(found);
    return count == 0 ? -ENXIO : count;
}

int ck_connect_address(const uint8_t *bytes) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address;
    memcpy(&address, bytes, CK_ADDRESS_BYTES);
    int descriptor = start(address.any.sa_family);
    if (descriptor < 0) return descriptor;
    socklen_t length =
        address.any.sa_family == AF_INET ? sizeof address.in : sizeof address.in6;
    if (connect(descriptor, &address.any, length) == 0 || errno == EINPROGRESS) return descriptor;
    return give_up(descriptor, errno);
}

int ck_connection_state(int descriptor) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return -errno;
    if (error != 0) return -error;
    struct sockaddr_storage peer;
    length = sizeof peer;
    if (getpeername(descriptor, (struct sockaddr *)&peer, &length) == 0) return 1;
    return errno == ENOTCONN ? 0 : -errno;
}

int64_t ck_receive(int descriptor, void *bytes, uint64_t count) {
    ssize_t result;
    do result = recv(descriptor, bytes, count, MSG_DONTWAIT);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

int64_t ck_send(int descriptor, const void *bytes, uint64_t count) {
    ssize_t result;
    do result = send(descriptor, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

int ck_peer_pid(int descriptor) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -errno;
    return peer.pid > 0 ? peer.pid : -ESRCH;
}
