/// What a QEMU was started with, read from its argument list (/proc/PID/cmdline).
///
/// Nothing here is certain about the present: disks may have come and gone since. It is all there
/// is while QMP does not answer, and the only place that says `aio=` (QMP never reports it).
struct QEMUCommandLine: Sendable, Equatable {
    /// Name of the program, without its folder.
    let program: String
    /// The VM's name (`-name`).
    private(set) var name: String?
    /// The sockets on which it speaks QMP, in the order given: a path, which has a slash also where
    /// it is relative, or `host:port`.
    private(set) var qmpAddresses: [String] = []
    /// `kvm`, `tcg`, … where the command line says so.
    private(set) var accelerator: String?
    /// Where interrupts are delivered, `kernel-irqchip=`: `on`, `split`, `off`; `nil` where nothing
    /// is said of it.
    private(set) var irqChip: String?
    /// Whether nothing that the guest writes is kept (`-snapshot`).
    private(set) var isSnapshot = false
    /// Whether libvirt started it: it names the guest with a key, and its own monitor
    /// `charmonitor`.
    var isLibvirt: Bool {
        isNamedByKey && characterDevices.contains { $0["id"] == "charmonitor" }
    }
    private var isNamedByKey = false
    /// Memory in QEMU's own words (`-m`): `4G`.
    private(set) var memory: String?
    /// Guest CPUs (`-smp`); `nil` where nothing is said of them, or no number.
    private(set) var vcpus: Int?
    /// What is said of the machine (`-machine`), its type as `type`.
    private(set) var machine = OptionText([])
    /// The CPU's `model` and its features (`-cpu`): `+x2apic`, `-vmx`, `hv-time`.
    private(set) var cpu: OptionText?
    /// Every `-object`, its type as `qom-type`.
    private(set) var objects: [OptionText] = []
    /// Properties of all devices of a model (`-global`): `virtio-blk-pci.ioeventfd`.
    private(set) var globals = OptionText([])
    /// The file system that the guest's memory lies on (`-mem-path`).
    private(set) var memoryPath: String?
    /// Whether threads get names of their own (`-name debug-threads=`); `nil` if it does not say.
    private(set) var namesThreads: Bool?
    /// Whether `-smp` is given, understood or not.
    private(set) var saysVCPUs = false
    /// Every `-device`.
    private(set) var devices: [OptionText] = []
    /// Every `-drive`, `-hda` and image without an option.
    private(set) var drives: [OptionText] = []
    /// Every `-blockdev`.
    private(set) var blockNodes: [OptionText] = []
    private var characterDevices: [OptionText] = []
    /// Every `-set`: `device.virtio-disk0.scsi` and its value.
    private var changes = OptionText([])

    /// Reads `arguments`, the program's own name first.
    init(_ arguments: [String]) {
        program = arguments.first?.split(separator: "/").last.map(String.init) ?? ""
        var monitors: [OptionText] = []
        var rest = arguments.dropFirst()[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("-"), argument != "-" else {
                if !argument.isEmpty, drives.count < Self.optionLimit {
                    drives.append(OptionText([("file", argument)]))
                }
                continue
            }
            let option = String(argument.drop { $0 == "-" })
            guard !Self.withoutValue.contains(option) else {
                if option == "enable-kvm" { accelerator = "kvm" }
                if option == "no-kvm" { accelerator = "tcg" }
                if option == "snapshot" { isSnapshot = true }
                continue
            }
            guard let value = rest.popFirst() else { break }
            if option == "mon" {
                monitors.append(OptionText(value, implied: "chardev"))
            } else {
                take(option, value)
            }
        }
        for monitor in monitors where monitor["mode"] == "control" {
            let device = characterDevices.last { $0["id"] == monitor["chardev"] }
            if let address = device.flatMap(Self.address) { qmpAddresses.append(address) }
        }
        applyChanges()
    }

    /// `-set GROUP.ID.KEY=VALUE`, with which people reach what libvirt has no words for.
    private mutating func applyChanges() {
        for (path, value) in changes.values {
            let parts = path.split(separator: ".", maxSplits: 2).map { String($0) }
            guard parts.count == 3 else { continue }
            func change(_ options: inout [OptionText]) {
                for index in options.indices where options[index]["id"] == parts[1] {
                    options[index].set(parts[2], value)
                }
            }
            switch parts[0] {
            case "device": change(&devices)
            case "drive": change(&drives)
            case "object": change(&objects)
            default: break
            }
        }
    }

    /// QEMU's options that stand alone: all others take the next argument.
    private static let withoutValue: Set = [
        "enable-kvm", "S", "s", "daemonize", "nodefaults", "nographic", "no-reboot", "no-shutdown",
        "no-acpi", "no-hpet", "no-user-config", "snapshot", "usb", "full-screen", "no-quit",
        "only-migratable", "mem-prealloc", "preconfig", "singlestep", "no-fd-bootchk", "version",
        "h", "help", "win2k-hack", "enable-sync-profile", "xen-attach", "semihosting", "curses",
        "async-teardown", "perfmap", "jitdump", "enable-fips", "xen-domid-restrict",
        "alt-grab", "ctrl-grab", "no-frame", "sdl", "rotate", "portrait", "old-param",
        "nodefconfig", "no-kvm", "no-kvm-irqchip", "no-kvm-pit", "no-kvm-pit-reinjection", "tdf",
    ]

    /// The device `id` is gone: what was said of it says nothing of another one of that name.
    mutating func forgetDevice(_ id: String) { devices.removeAll { $0["id"] == id } }

    /// Any process can call itself a QEMU and have a command line of megabytes.
    private static let optionLimit = 2048

    private mutating func take(_ option: String, _ value: String) {
        let count = devices.count + drives.count + blockNodes.count + objects.count
        guard count + globals.values.count + changes.values.count < Self.optionLimit else { return }
        switch option {
        case "name":
            let options = OptionText(value, implied: "guest")
            name = options["guest"]
            isNamedByKey = value.hasPrefix("guest=")
            namesThreads = options["debug-threads"].map(\.isOn)
        case "qmp", "qmp-pretty":
            if let address = Self.address(of: value) { qmpAddresses.append(address) }
        case "chardev": characterDevices.append(OptionText(value, implied: "backend"))
        case "accel":
            let options = OptionText(value, implied: "accel")
            accelerator = accelerator ?? options["accel"]
            takeIRQChip(options)
        case "machine", "M": takeMachine(OptionText(value, implied: "type"))
        case "cpu": cpu = OptionText(value, implied: "model")
        case "m": memory = OptionText(value, implied: "size")["size"]
        case "mem-path": memoryPath = value
        case "smp": takeVCPUs(OptionText(value, implied: "cpus"))
        case "object": objects.append(.reading(value, implied: "qom-type"))
        case "global": takeGlobal(OptionText(value, implied: "driver"))
        case "set": takePair(value, into: &changes)
        case "device": devices.append(.reading(value, implied: "driver"))
        case "blockdev": blockNodes.append(.reading(value, implied: "driver"))
        case "drive": drives.append(OptionText(value, implied: "file"))
        case "hda", "hdb", "hdc", "hdd":
            drives.append(OptionText([("file", value)]))
        default: break
        }
    }

    private mutating func takeMachine(_ options: OptionText) {
        for (key, value) in options.values { machine.set(key, value) }
        takeIRQChip(options)
        if let named = options["accel"] {
            accelerator = named.split(separator: ":").first.map(String.init)
        }
    }

    /// Without `cpus=` there are as many as the sockets have threads.
    private mutating func takeVCPUs(_ options: OptionText) {
        saysVCPUs = true
        let levels = ["drawers", "books", "sockets", "dies", "clusters", "modules", "cores"]
        let sizes = (levels + ["threads"]).compactMap { options[$0] }
        var product: Int? = sizes.isEmpty ? nil : 1
        for size in sizes {
            let next = Int(size).flatMap { product?.multipliedReportingOverflow(by: $0) }
            product = next.flatMap { $0.overflow ? nil : $0.partialValue }
        }
        let told = options["cpus"] ?? options["maxcpus"]
        vcpus = told.map { Int($0) } ?? product
        if let count = vcpus, count < 1 { vcpus = nil }
    }

    private mutating func takeGlobal(_ options: OptionText) {
        if let driver = options["driver"], let property = options["property"] {
            globals.set(driver + "." + property, options["value"] ?? "")
        } else {
            for (key, value) in options.values where key.contains(".") { globals.set(key, value) }
        }
    }

    private func takePair(_ text: String, into options: inout OptionText) {
        guard let equals = text.firstIndex(of: "=") else { return }
        options.set(String(text[..<equals]), String(text[text.index(after: equals)...]))
    }

    /// Both spellings are QEMU's.
    private mutating func takeIRQChip(_ options: OptionText) {
        irqChip = options["kernel-irqchip"] ?? options["kernel_irqchip"] ?? irqChip
    }

    /// The address of `-qmp unix:/path,server=on,wait=off` or `tcp:host:port,…`; `nil` for others.
    private static func address(of text: String) -> String? {
        guard let target = OptionText(text, implied: "target")["target"] else { return nil }
        if target.hasPrefix("unix:") { return path(String(target.dropFirst(5))) }
        if target.hasPrefix("tcp:") { return local(String(target.dropFirst(4))) }
        return nil
    }

    /// The address of a `-chardev socket`.
    private static func address(of device: OptionText) -> String? {
        guard device["backend"] == "socket" else { return nil }
        if let path = device["path"] { return Self.path(path) }
        let host = device["host"] ?? ""
        return device["port"].map { local((host.contains(":") ? "[\(host)]" : host) + ":" + $0) }
    }

    /// With a slash, which tells a path from a host.
    private static func path(_ path: String) -> String { path.contains("/") ? path : "./" + path }

    /// A socket that listens on every address is reached on this host's own.
    private static func local(_ address: String) -> String {
        for any in ["0.0.0.0:", "[::]:", ":"] where address.hasPrefix(any) {
            return "127.0.0.1:" + address.dropFirst(any.count)
        }
        return address
    }
}
