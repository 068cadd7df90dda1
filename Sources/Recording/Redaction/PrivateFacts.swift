internal import Telemetry

/// What of a fact's text is private, by the fact's name.
enum PrivateText {
    /// A word or a list of the kernel's or QEMU's: known names and paths alone are private.
    case technical
    /// A name of this kind.
    case name(String)
    case path
    case disk
    /// `vda1 2048`
    case partition
    case bootLine
    case mountOptions
    case mountSource
    /// `TYPE MOUNTPOINT OPTIONS`
    case guestMount
    /// `PATH CLIENT(OPTIONS) …`
    case export
    /// What made the device, then `-` and what names it.
    case mapperUUID

    init(_ name: FactName) {
        switch name {
        case .domain: self = .name("vm")
        case .ioThreads: self = .name("iothread")
        case .adapterID: self = .name("adapter")
        case .passThrough: self = .name("device")
        case .loopFile: self = .path
        case .swapDisks, .slaves, .leaves: self = .disk
        case .guestPartitions: self = .partition
        case .bootCommandLine, .guestBootLine: self = .bootLine
        case .mountOptions: self = .mountOptions
        case .mountSource: self = .mountSource
        case .guestMounts: self = .guestMount
        case .nfsExports: self = .export
        case .mapperUUID: self = .mapperUUID
        default: self = .technical
        }
    }

    /// Whether names are learned from it.
    var tellsNames: Bool { if case .technical = self { false } else { true } }
}

extension NameBook {
    /// `fact` with words in place of whatever is private in it.
    mutating func redact(_ fact: Fact) -> Fact {
        var result = fact
        result.subject = redact(fact.subject)
        let kind = PrivateText(fact.name)
        switch fact.value {
        case .text(let text): result.value = .text(redact(text, kind))
        case .texts(let texts): result.value = .texts(texts.map { redact($0, kind) })
        case .flag, .number, nil: break
        }
        result.source = replaceNames(in: fact.source, .joints)
        result.reason = fact.reason.map { replaceNames(in: $0, .joints) }
        return result
    }

    /// Gives the names in `fact` their words, so that free texts find them.
    mutating func learn(_ fact: Fact) {
        _ = redact(fact.subject)
        let kind = PrivateText(fact.name)
        guard kind.tellsNames else { return }
        switch fact.value {
        case .text(let text): _ = redact(text, kind)
        case .texts(let texts): for text in texts { _ = redact(text, kind) }
        case .flag, .number, nil: break
        }
    }

    /// What it is about, in words.
    mutating func redact(_ subject: Subject) -> Subject {
        let scope =
            switch subject.scope {
            case .disk(let name): Scope.disk(disk(name))
            case .lun(let name): Scope.lun(word(name, "lun"))
            case .ioThread(let name): Scope.ioThread(ioThread(name))
            case .guestDisk(let name): Scope.guestDisk(disk(name, "guest-disk"))
            case .host, .vm, .guest, .tool: subject.scope
            }
        return Subject(vm: subject.vm.map { vm($0) }, scope)
    }

    private mutating func redact(_ text: String, _ kind: PrivateText) -> String {
        switch kind {
        case .technical:
            Self.vocabulary.contains(text) ? text : replaceNames(in: text, .whole)
        case .name("vm"): vm(text)
        case .name("iothread"): ioThread(text)
        case .name(let kind): word(text, kind)
        case .path: path(text)
        case .disk: disk(text)
        case .partition: partition(text)
        case .bootLine: PublicOptions.bootLine(text)
        case .mountOptions: PublicOptions.list(text)
        case .mountSource: mountSource(text)
        case .guestMount: guestMount(text)
        case .export: export(text)
        case .mapperUUID: text.firstIndex(of: "-").map { text[...$0] + "…" } ?? "…"
        }
    }

    /// Words of the kernel and of QEMU that rules know, were a VM called so.
    private static let vocabulary: Set<String> = [
        "none", "mq-deadline", "deadline", "bfq", "kyber", "cfq", "noop", "write back",
        "write through", "writeback", "writethrough", "directsync", "unsafe", "native", "threads",
        "io_uring", "on", "off", "auto", "split", "unmap", "ignore", "report", "stop", "enospc",
        "ok", "failed", "nospace", "always", "madvise", "never", "within_size", "advise", "deny",
        "force", "performance", "powersave", "ondemand", "schedutil", "conservative", "host", "max",
        "qemu64", "kvm64", "tsc", "kvm-clock", "hpet", "acpi_pm", "xen", "luks", "aes", "raw",
        "qcow2", "nfs", "nfs4", "ext4", "xfs", "btrfs", "zfs", "frozen", "thawed", "ATA",
        "mswindows", "x86_64", "aarch64", "s390x", "ppc64le", "active", "ready", "running",
    ]

    // MARK: Names

    /// The word for a VM. Rules ask less of one that calls itself a test.
    mutating func vm(_ name: String) -> String {
        if let known = known(name) { return known }
        let parts = name.lowercased().split { !$0.isLetter }
        return word(name, parts.contains("test") ? "test-vm" : "vm")
    }

    /// QEMU's monitor may have an IOThread of its own, whose name tells that.
    mutating func ioThread(_ name: String) -> String {
        name == "mon_iothread" ? name : word(name, "iothread")
    }

    /// The kernel's name stays; an array that its owner named is told to be one.
    mutating func disk(_ name: String, _ kind: String = "disk") -> String {
        if KernelName.isDisk(name) { return name }
        return word(name, name.hasPrefix("md") ? "md-array" : kind)
    }

    mutating func path(_ path: String) -> String {
        KernelName.isDevice(path) ? path : word(path, "file")
    }

    private mutating func partition(_ text: String) -> String {
        let words = text.split(separator: " ", maxSplits: 1)
        let rest = words.dropFirst().map { replaceNames(in: String($0), .whole) }
        return ([disk(String(words.first ?? ""), "partition")] + rest).joined(separator: " ")
    }

    // MARK: Mounts

    /// `host-1:/export-2`: whether two are the same can still be told, and whether it is this host.
    private mutating func mountSource(_ source: String) -> String {
        if Self.vocabulary.contains(source) || ["tmpfs", "overlay"].contains(source) {
            return source
        }
        if KernelName.isDevice(source) { return source }
        if let place = source.firstRange(of: ":/") {
            let path = source[source.index(after: place.lowerBound)...]
            return host(source[..<place.lowerBound]) + ":/" + word(String(path), "export")
        }
        return word(source, "volume")
    }

    /// An address of this very host says so.
    private mutating func host(_ name: Substring) -> String {
        let isOwn = ["localhost", "[::1]"].contains(String(name)) || name.hasPrefix("127.")
        return isOwn ? String(name) : word(String(name), "host")
    }

    private mutating func guestMount(_ text: String) -> String {
        var words = text.split(separator: " ", maxSplits: 2).map(String.init)
        if words.count > 1, words[1] != "/" { words[1] = "/" + word(words[1], "mount") }
        if words.count > 2 { words[2] = PublicOptions.list(words[2]) }
        return words.joined(separator: " ")
    }

    private mutating func export(_ text: String) -> String {
        let words = text.split(separator: " ").map(String.init)
        let clients = words.dropFirst().map { client in
            let name = client.prefix { $0 != "(" }
            let options = client.dropFirst(name.count).filter { !"()".contains($0) }
            return (name == "*" ? "*" : host(name)) + "(" + PublicOptions.list(options) + ")"
        }
        let path = words.first.map { "/" + word($0, "export") } ?? ""
        return ([path] + clients).joined(separator: " ")
    }
}
