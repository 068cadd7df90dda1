extension TestGuest {
    /// What may tell why the guest is silent: the ends of what its kernel and QEMU said, where its
    /// processors are, and the disks' virtqueues as QEMU has them.
    func whatIsKnown() -> String {
        var parts = ["console:\n\(consoleTail)", "QEMU:\n\(errorsTail)"]
        do {
            let registers: JSONValue = ["command-line": "info registers -a"]
            let dump = try qmp.execute("human-monitor-command", registers).text ?? ""
            parts += dump.split(whereSeparator: \.isNewline).filter { $0.contains("RIP=") }
                .map(String.init)
            // A disk of vhost-user is not asked: QEMU would stop its virtqueue to answer.
            for disk in machine.disks where disk.bus == .virtio {
                let path = "/machine/peripheral/\(disk.id)/virtio-backend"
                let queue: JSONValue = ["path": .text(path), "queue": 0]
                let state = try qmp.execute("x-query-virtio-queue-status", queue)
                parts.append("\(disk.id): \(try state.line)")
            }
        } catch {
            // QEMU's main loop may be what hangs: it is not asked again.
            parts.append("\(error)")
        }
        return parts.joined(separator: "\n")
    }
}
