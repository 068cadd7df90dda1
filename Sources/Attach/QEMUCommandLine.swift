/// What a QEMU was started with, read from its argument list (/proc/PID/cmdline).
///
/// Nothing here is certain about the present: disks may have come and gone since. It is all there
/// is while QMP does not answer, and the only place that says `aio=` (QMP never reports it).
struct QEMUCommandLine: Sendable, Equatable {
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
    /// Guest CPUs (`-smp`).
    private(set) var vcpus: Int?
    /// Every `-device`.
    private(set) var devices: [OptionText] = []
    /// Every `-drive`, `-hda` and image without an option.
    private(set) var drives: [OptionText] = []
    /// Every `-blockdev`.
    private(set) var blockNodes: [OptionText] = []
    private var characterDevices: [OptionText] = []

    /// Reads `arguments`, the program's own name first.
    init(_ arguments: [String]) {
        var monitors: [OptionText] = []
        var rest = arguments.dropFirst()[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("-"), argument != "-" else {
                if !argument.isEmpty { drives.append(OptionText([("file", argument)])) }
                continue
            }
            let option = String(argument.drop { $0 == "-" })
            guard !Self.withoutValue.contains(option) else {
                if option == "enable-kvm" { accelerator = "kvm" }
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
    }

    /// QEMU's options that stand alone: all others take the next argument.
    private static let withoutValue: Set = [
        "enable-kvm", "S", "s", "daemonize", "nodefaults", "nographic", "no-reboot", "no-shutdown",
        "no-acpi", "no-hpet", "no-user-config", "snapshot", "usb", "full-screen", "no-quit",
        "only-migratable", "mem-prealloc", "preconfig", "singlestep", "no-fd-bootchk", "version",
        "h", "help", "win2k-hack", "enable-sync-profile", "xen-attach", "semihosting", "curses",
        "async-teardown", "perfmap", "jitdump", "enable-fips", "xen-domid-restrict",
        "alt-grab", "ctrl-grab", "no-frame", "sdl", "rotate", "portrait", "old-param",
        "nodefconfig",
    ]

    /// The device `id` is gone: what was said of it says nothing of another one of that name.
    mutating func forgetDevice(_ id: String) { devices.removeAll { $0["id"] == id } }

    /// Any process can call itself a QEMU and have a command line of megabytes.
    private static let optionLimit = 2048

    private mutating func take(_ option: String, _ value: String) {
        guard devices.count + drives.count + blockNodes.count < Self.optionLimit else { return }
        switch option {
        case "name":
            name = OptionText(value, implied: "guest")["guest"]
            isNamedByKey = value.hasPrefix("guest=")
        case "qmp", "qmp-pretty":
            if let address = Self.address(of: value) { qmpAddresses.append(address) }
        case "chardev": characterDevices.append(OptionText(value, implied: "backend"))
        case "accel":
            let options = OptionText(value, implied: "accel")
            accelerator = accelerator ?? options["accel"]
            takeIRQChip(options)
        case "machine", "M":
            let options = OptionText(value, implied: "type")
            takeIRQChip(options)
            if let named = options["accel"] {
                accelerator = named.split(separator: ":").first.map(String.init)
            }
        case "m": memory = OptionText(value, implied: "size")["size"]
        case "smp": vcpus = OptionText(value, implied: "cpus")["cpus"].flatMap { Int($0) }
        case "device": devices.append(.reading(value, implied: "driver"))
        case "blockdev": blockNodes.append(.reading(value, implied: "driver"))
        case "drive": drives.append(OptionText(value, implied: "file"))
        case "hda", "hdb", "hdc", "hdd":
            drives.append(OptionText([("file", value)]))
        default: break
        }
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
