/// A disk of the test guest. Its id is that of the device in QEMU, the serial number in the guest,
/// and with `-node` behind it the name of its block node.
public struct GuestDisk: Sendable {
    public enum Bus: Sendable {
        /// A PCI function of its own.
        case virtio
        /// One virtio-scsi adapter for all of them.
        case scsi
        /// At most four.
        case ide
        /// A PCI function of its own, served by the process that listens on the backend's socket.
        /// The guest's memory must be shared with it.
        case vhostUser
    }

    public enum Backend: Sendable, Equatable {
        /// Reads nothing and writes nowhere, as fast as QEMU goes.
        case null
        /// The same, each request completed after so many nanoseconds.
        case slow(nanoseconds: Int)
        /// A sparse file. `aio` is threads, native or io_uring; the latter two bypass the cache.
        case raw(aio: String)
        case qcow2
        /// Whatever these options of `-blockdev` say.
        case options([String])
        /// A socket on which another process serves the disk, for `vhostUser` alone.
        case socket(String)
    }

    /// How the backend is given to QEMU.
    public enum Style: Sendable {
        case blockdev
        /// The older `-drive if=none,id=drive-ID`: the node has a generated name.
        case drive
    }

    public var id: String
    public var bus = Bus.virtio
    public var backend = Backend.null
    public var style = Style.blockdev
    public var mebibytes = 1024
    /// The IOThread that serves it, of those the machine has; `nil` for QEMU's main loop. Ignored
    /// for IDE; for SCSI the adapter takes that of the first disk.
    public var iothread: String?
    /// Further properties of the device, for example `num-queues=2`.
    public var properties: [String] = []

    public init(
        _ id: String, bus: Bus = .virtio, backend: Backend = .null, style: Style = .blockdev,
        iothread: String? = nil, properties: [String] = []
    ) {
        self.id = id
        self.bus = bus
        self.backend = backend
        self.style = style
        self.iothread = iothread
        self.properties = properties
    }

    /// Whether it is a PCI function of its own.
    var isFunction: Bool { bus == .virtio || bus == .vhostUser }
    var node: String { "\(id)-node" }
    var bytes: Int { mebibytes << 20 }

    /// The name of its file in the machine's folder.
    var file: String? {
        switch backend {
        case .null, .slow, .options, .socket: nil
        case .raw: "\(id).raw"
        case .qcow2: "\(id).qcow2"
        }
    }

    /// What stands behind the disk, for QEMU's command line.
    func backendArguments(folder: String) -> [String] {
        var options: [String]
        switch backend {
        case .null:
            options = ["driver=null-co", "size=\(bytes)", "read-zeroes=on"]
        case .slow(let nanoseconds):
            options = [
                "driver=null-co", "size=\(bytes)", "read-zeroes=on", "latency-ns=\(nanoseconds)",
            ]
        case .raw(let aio):
            let direct = aio == "threads" ? "off" : "on"
            options = [
                "driver=raw", "file.driver=file", "file.filename=\(folder)/\(id).raw",
                "file.aio=\(aio)", "cache.direct=\(direct)", "file.cache.direct=\(direct)",
            ]
        case .qcow2:
            options = [
                "driver=qcow2", "file.driver=file", "file.filename=\(folder)/\(id).qcow2",
            ]
        case .options(let given):
            options = given
        case .socket(let path):
            return ["-chardev", "socket,id=\(id)-socket,path=\(path)"]
        }
        switch style {
        case .blockdev:
            options.append("node-name=\(node)")
            return ["-blockdev", options.joined(separator: ",")]
        case .drive:
            return ["-drive", (["if=none", "id=drive-\(id)"] + options).joined(separator: ",")]
        }
    }

    /// The device in front of it. `position` is where it stands: `addr=…`, `bus=…`.
    func deviceArguments(driver: String, position: String) -> [String] {
        let drive = style == .blockdev ? node : "drive-\(id)"
        // Whoever serves a vhost-user disk gives it its serial number too.
        let behind =
            bus == .vhostUser ? ["chardev=\(id)-socket"] : ["drive=\(drive)", "serial=\(id)"]
        let options = [driver, "id=\(id)"] + behind + [position] + properties
        return ["-device", options.filter { !$0.isEmpty }.joined(separator: ",")]
    }
}
