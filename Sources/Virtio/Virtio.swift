// The rules of the ring: memory layout, split virtqueues — driver end, device end and read-only
// observer end — and virtio-blk requests, after virtio 1.2. A pure room: it makes no system call.
