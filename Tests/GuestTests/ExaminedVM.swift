import Foundation
import Glibc
import GuestHarness

/// `driver,key=value,…` of QEMU's command line. What is set to `nil` is not given.
struct DeviceOptions {
    var driver: String
    private var values: [(key: String, value: String)]

    init(_ driver: String, _ values: KeyValuePairs<String, String> = [:]) {
        self.driver = driver
        self.values = values.map { ($0.key, $0.value) }
    }

    subscript(key: String) -> String? {
        get { values.first { $0.key == key }?.value }
        set {
            let index = values.firstIndex { $0.key == key }
            switch (index, newValue) {
            case (let index?, let value?): values[index].value = value
            case (let index?, nil): values.remove(at: index)
            case (nil, let value?): values.append((key, value))
            case (nil, nil): break
            }
        }
    }

    /// As `-device` takes it; `-blockdev` wants `driver=` before.
    var text: String { ([driver] + values.map { "\($0.key)=\($0.value)" }).joined(separator: ",") }
}

/// A VM of one disk, set up as the doctor's rules recommend, so that one thing can be changed and
/// all that is said then is said of that.
///
/// It needs no guest and, unless a test lets its firmware work, none runs: the vCPUs wait for
/// `cont`, so that many such VMs cost nothing. QEMU's first words on its own monitor tell that the
/// one for the program under test listens.
struct ExaminedVM {
    /// "test" in a VM's name would excuse it from some rules.
    var name = "web1"
    var namesThreads = true
    var machine = "q35"
    /// KVM where there is KVM.
    var isKVM = Host.whyNoKVM == nil
    /// `nil` for the host's.
    var processor: String?
    var processors = 4
    /// Whether the firmware looks for something to boot.
    var runs = false
    var objects = ["iothread,id=io0"]
    var ports = ["pcie-root-port,id=rp0,chassis=1"]
    /// The block node above the image; empty for none.
    var nodes: [DeviceOptions]
    var devices: [DeviceOptions]
    var arguments: [String] = []
    /// A command that runs QEMU.
    var wrapper: [String] = []
    /// Where all its files are.
    let folder: String
    /// 64 MiB, all of it allocated.
    let image: String
    private(set) var loop: LoopDevice?

    /// - Parameter folder: an empty one, which the caller removes.
    init(in folder: String) throws {
        self.folder = folder
        image = folder + "/disk0.raw"
        try Host.allocate(image, bytes: Self.imageBytes)
        nodes = [
            DeviceOptions(
                "raw",
                [
                    "node-name": "node0", "cache.direct": "on", "discard": "unmap",
                    "file.driver": "file", "file.filename": image, "file.aio": "native",
                    "file.cache.direct": "on", "file.discard": "unmap",
                ])
        ]
        devices = [
            DeviceOptions(
                "virtio-blk-pci",
                [
                    "id": "disk0", "drive": "node0", "bus": "rp0", "iothread": "io0",
                    "physical_block_size": "4096",
                ])
        ]
    }

    static let imageBytes = 64 << 20

    /// Lays the disk onto a loop device: flash that does direct I/O and sorts nothing.
    mutating func useLoop(sectorBytes: Int = 512, direct: Bool = true, scheduler: String = "none")
        throws
    {
        let loop = try LoopDevice(
            image, sectorBytes: sectorBytes, direct: direct, scheduler: scheduler)
        self.loop = loop
        nodes[0]["file.driver"] = "host_device"
        nodes[0]["file.filename"] = loop.path
    }

    /// Runs qemu-img on a new image in the folder, and puts it in the disk's place.
    mutating func useImage(_ name: String, _ options: [String], size: String? = nil) throws {
        let path = "\(folder)/\(name)"
        try Host.run(
            ["qemu-img", "create", "-q", "-f", "qcow2"] + options + [path]
                + (size.map { [$0] } ?? []))
        nodes[0].driver = "qcow2"
        nodes[0]["file.filename"] = path
    }

    /// The socket of the monitor for the program under test.
    var monitor: String { folder + "/qmp" }
    /// And of that for the test.
    var control: String { folder + "/control" }

    var command: [String] {
        // The host's own model promises a register that KVM inside a VM then refuses.
        let processor = processor ?? (isKVM ? "host,-arch-capabilities" : "max")
        var words = wrapper + [Host.qemu, "-nodefaults", "-no-user-config", "-display", "none"]
        words += ["-name", "guest=\(name),debug-threads=\(namesThreads ? "on" : "off")"]
        words += ["-machine", machine, "-accel", isKVM ? "kvm" : "tcg", "-cpu", processor]
        words += ["-smp", String(processors), "-m", "128"]
        words += objects.flatMap { ["-object", $0] } + ports.flatMap { ["-device", $0] }
        words += nodes.flatMap { ["-blockdev", "driver=" + $0.text] }
        words += devices.flatMap { ["-device", $0.text] } + arguments
        words += ["-qmp", "stdio"]
        for socket in [monitor, control] { words += ["-qmp", "unix:\(socket),server=on,wait=off"] }
        return words + (runs ? [] : ["-S"])
    }

    /// Starts QEMU; it listens.
    func start() throws -> RunningProgram {
        let program = try RunningProgram(command)
        let words = try program.line()
        guard words.contains("\"QMP\"") else { throw HarnessError("no greeting: \(words)") }
        return program
    }
}

/// A file as a block device, gone with this object.
final class LoopDevice {
    let path: String
    var name: String { String(path.dropFirst("/dev/".count)) }
    private let settings: String

    /// Why there can be none, `nil` if there can.
    static let whyUnavailable: String? = {
        if geteuid() != 0 { return "loop devices need root" }
        let answer = try? RunningProgram(["losetup", "--find"]).ending()
        return answer?.status == 0 ? nil : "losetup finds no loop device"
    }()

    init(_ file: String, sectorBytes: Int, direct: Bool, scheduler: String) throws {
        let answer = try RunningProgram([
            "losetup", "--find", "--show", "--sector-size=\(sectorBytes)",
            "--direct-io=\(direct ? "on" : "off")", file,
        ]).ending()
        guard answer.status == 0, let path = answer.lines.first else {
            throw HarnessError("losetup \(file): \(answer.errors)")
        }
        self.path = path
        settings = "/sys/block/\(path.dropFirst("/dev/".count))/queue/"
        try Host.write("0", to: settings + "rotational")
        try Host.write(scheduler, to: settings + "scheduler")
    }

    deinit {
        // The next user of the device would find it.
        try? Host.write("none", to: settings + "scheduler")
        _ = try? RunningProgram(["losetup", "--detach", path]).ending()
    }
}

/// What tests ask of the machine they run on.
enum Host {
    static let qemu = "qemu-system-x86_64"

    /// Why VMs run without KVM here, `nil` if they need not.
    static let whyNoKVM: String? = {
        let descriptor = unsafe open("/dev/kvm", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return "/dev/kvm cannot be opened" }
        close(descriptor)
        return nil
    }()

    /// Whether the CPU delivers interrupts to guests itself.
    static let hasAPICVirtualization = [
        "kvm_intel/parameters/enable_apicv", "kvm_amd/parameters/avic",
    ]
    .contains {
        let text = try? String(contentsOfFile: "/sys/module/\($0)", encoding: .utf8)
        return text.map { "Y1".contains($0.prefix(1)) } ?? false
    }

    /// Why io_uring is not to be had, `nil` if it is. Kernels before 6.6 cannot forbid it.
    static let whyNoIOUring: String? = {
        let text = try? String(
            contentsOfFile: "/proc/sys/kernel/io_uring_disabled", encoding: .utf8)
        return text.map { $0.hasPrefix("0") } ?? true ? nil : "io_uring is forbidden"
    }()

    /// Bytes of a physical block of the disk that a file lies on; `nil` if it lies on none.
    static func physicalBlock(under path: String) -> Int? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        let number = "\((status.st_dev >> 8) & 0xFFF):\(status.st_dev & 0xFF)"
        let found = URL(fileURLWithPath: "/sys/dev/block/\(number)").resolvingSymlinksInPath().path
        let files = ["\(found)/queue/physical_block_size", "\(found)/../queue/physical_block_size"]
        return files.lazy.compactMap { try? String(contentsOfFile: $0, encoding: .utf8) }
            .compactMap { Int($0.filter(\.isNumber)) }.first
    }

    /// Makes a file of which every block is allocated.
    static func allocate(_ path: String, bytes: Int) throws {
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw HarnessError("cannot create \(path)") }
        defer { close(descriptor) }
        let code = posix_fallocate(descriptor, 0, bytes)
        guard code == 0 else { throw HarnessError("cannot allocate \(path): error \(code)") }
    }

    /// Gives a setting of the kernel a value.
    static func write(_ value: String, to path: String) throws {
        guard let file = FileHandle(forWritingAtPath: path) else {
            throw HarnessError("cannot write to \(path)")
        }
        try file.write(contentsOf: Data(value.utf8))
        try file.close()
    }

    /// Runs a program to its end; throws unless it exits with 0.
    static func run(_ command: [String]) throws {
        let end = try RunningProgram(command).ending()
        guard end.status == 0 else {
            throw HarnessError("\(command.joined(separator: " ")): \(end.errors)")
        }
    }
}
