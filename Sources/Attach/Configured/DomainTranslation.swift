import Libraries
import Telemetry

/// A domain in the words of QEMU's command line, as libvirt would write it, as far as storage goes.
/// What came from where is noted, so that whoever reads of it finds the element.
///
/// Lists are written with their places in the keys (`iothread-vq-mapping.0.iothread`), where
/// libvirt writes JSON; it comes to the same.
struct DomainTranslation: Sendable {
    let domain: XMLElement
    /// The program first.
    private(set) var arguments: [String] = []
    var origins = FactOrigins("domain XML")
    /// What no option says.
    var facts: [Fact] = []
    /// Limits that libvirt sets when the VM runs, by the ids of disks.
    var throttles: [String: String] = [:]

    /// Numbers of the SCSI adapters that disks need and the document does not have.
    var addedAdapters: Set<String> = []

    let devices: [XMLElement]
    let controllers: [XMLElement]

    init(_ domain: XMLElement) {
        self.domain = domain
        devices = domain["devices"]?.children ?? []
        controllers = devices.filter { $0.name == "controller" }
    }

    private var architecture: String { domain["os"]?["type"]?.attribute("arch") ?? "x86_64" }

    /// The machine type; libvirt's own where none is given.
    var machine: String {
        if let type = domain["os"]?["type"]?.attribute("machine") { return type }
        switch architecture {
        case "x86_64", "i686": return "pc"
        case "s390x": return "s390-ccw-virtio"
        case "ppc64", "ppc64le": return "pseries"
        default: return "virt"
        }
    }

    /// Throws for a domain that QEMU does not run.
    mutating func translate() throws(ConfigurationError) {
        guard let type = domain.attribute("type") else {
            throw ConfigurationError("the <domain> has no type=: kvm or qemu is expected")
        }
        guard ["kvm", "qemu", "hvf"].contains(type) else {
            throw ConfigurationError("a domain of type '\(clean(type))' is not run by QEMU")
        }
        let emulator = domain["devices"]?["emulator"]?.text ?? ""
        arguments = [emulator.isEmpty ? "qemu-system-" + architecture : emulator]
        add("-name", [("guest", domain["name"]?.text), ("debug-threads", "on")])
        note("name", at: "name")
        add("-accel", [("accel", type == "qemu" ? "tcg" : type)])
        translateMachine()
        translateCPU()
        translateVCPUs()
        translateMemory()
        translateThreads()
        add("-chardev", [("backend", "socket"), ("id", "charmonitor")])
        for controller in controllers { translate(controller) }
        for device in devices where device.name == "hostdev" { translateHostDevice(device) }
        var number = 0
        for disk in devices where disk.name == "disk" {
            number += 1
            translateDisk(disk, number: number)
        }
        takeQEMUElements()
        takeSystem()
    }

    /// Adds an option, without the pairs that have no value.
    mutating func add(_ option: String, _ pairs: [(key: String, value: String?)]) {
        func escaped(_ text: String) -> String { text.replacing(",", with: ",,") }
        let parts = pairs.compactMap { key, value in
            value.map { escaped(key) + "=" + escaped($0) }
        }
        guard !parts.isEmpty else { return }
        arguments += [option, parts.joined(separator: ",")]
    }

    /// `option` of the object `id` is what stands at `place`.
    mutating func note(_ option: String, of id: String? = nil, at place: String) {
        origins.note(option, of: id, at: place)
    }

    // MARK: The machine

    private mutating func translateMachine() {
        let features = domain["features"]
        var chip: String?
        switch features?["ioapic"]?.attribute("driver") {
        case "qemu": chip = "split"
        case "kvm": chip = "on"
        default: break
        }
        let isMerging = domain["memoryBacking"]?["nosharepages"] == nil
        add(
            "-machine",
            [
                ("type", machine), ("kernel-irqchip", chip), ("mem-merge", isMerging ? nil : "off"),
            ])
        note("type", at: "os/type@machine")
        note("kernel-irqchip", at: "features/ioapic@driver")
        note("mem-merge", at: "memoryBacking/nosharepages")
    }

    private mutating func translateCPU() {
        var parts: [(key: String, value: String?)] = []
        let cpu = domain["cpu"]
        switch cpu?.attribute("mode") {
        case "host-passthrough": parts.append(("model", "host"))
        case "maximum": parts.append(("model", "max"))
        // libvirt names the model, with features, that is nearest to the host's.
        case "host-model": parts.append(("model", "host-model"))
        default: cpu?["model"].map { parts.append(("model", $0.text)) }
        }
        let isNamed = cpu?["model"] != nil && ["custom", nil].contains(cpu?.attribute("mode"))
        note("model", at: isNamed ? "cpu/model" : "cpu@mode")
        if let migratable = cpu?.toggle("migratable") { parts.append(("migratable", migratable)) }
        for feature in cpu?.all("feature") ?? [] {
            guard let name = feature.attribute("name"), let policy = feature.attribute("policy")
            else { continue }
            let sign = ["require": "+", "force": "+", "disable": "-", "forbid": "-"][policy]
            guard let sign else { continue }
            parts.append((sign + name, "on"))
            note(sign + name, at: "cpu/feature " + name)
        }
        parts += hypervisorFeatures()
        guard !parts.isEmpty else { return }
        if parts[0].key != "model" {
            parts.insert(("model", architecture == "i686" ? "qemu32" : "qemu64"), at: 0)
            note("model", at: "has no cpu/model, QEMU's default")
        }
        add("-cpu", parts)
    }

    /// Features of the CPU that libvirt has elsewhere.
    private mutating func hypervisorFeatures() -> [(key: String, value: String?)] {
        var parts: [(key: String, value: String?)] = []
        func find(_ feature: String, _ value: String?, _ place: String) {
            guard let value else { return }
            parts.append((feature, value))
            note(feature, at: place)
        }
        let features = domain["features"]
        find("kvm-pv-eoi", features?["apic"]?.toggle("eoi"), "features/apic@eoi")
        let hyperV = features?["hyperv"]
        if hyperV?.attribute("mode") == "passthrough" {
            find("hv-passthrough", "on", "features/hyperv@mode")
        }
        find("hv-vapic", hyperV?["vapic"]?.toggle("state"), "features/hyperv/vapic")
        for timer in domain["clock"]?.all("timer") ?? [] {
            let name = timer.attribute("name") ?? ""
            let property = ["hypervclock": "hv-time", "kvmclock": "kvmclock"][name]
            if let property {
                find(property, timer.toggle("present"), "clock/timer " + name)
            }
        }
        return parts
    }

    private mutating func translateVCPUs() {
        guard let vcpu = domain["vcpu"], !vcpu.text.isEmpty else { return }
        let current = vcpu.attribute("current")
        add(
            "-smp", [("cpus", current ?? vcpu.text), ("maxcpus", current == nil ? nil : vcpu.text)])
    }

    // MARK: Memory

    private mutating func translateMemory() {
        let size = domain["memory"]?.byteCount.map { String($0) + "b" }
        add("-m", [("size", size)])
        guard let backing = domain["memoryBacking"] else { return }
        let pages = backing["hugepages"]
        let page = pages?["page"]?.sizeAttribute
        let source = backing["source"]?.attribute("type")
        let cells = domain["cpu"]?["numa"]?.all("cell") ?? []
        let modes = cells.compactMap { $0.attribute("memAccess") }
        let mode = modes.first { $0 != "shared" } ?? modes.first
        let isShared = (mode ?? backing["access"]?.attribute("mode")) == "shared"
        let place = mode == nil ? "memoryBacking/access@mode" : "cpu/numa/cell@memAccess"
        var parts: [(key: String, value: String?)]
        if source == "memfd" {
            parts = [
                ("qom-type", "memory-backend-memfd"), ("hugetlb", pages == nil ? nil : "on"),
                ("hugetlbsize", page.map { String($0) }),
            ]
        } else if pages != nil || source == "file" {
            let path = pages == nil ? "/var/lib/libvirt/qemu/ram" : "/dev/hugepages/libvirt/qemu"
            parts = [("qom-type", "memory-backend-file"), ("mem-path", path)]
        } else {
            return
        }
        parts += [("id", "pc.ram"), ("size", size), ("share", isShared ? "on" : "off")]
        add("-object", parts)
        note("share", of: "pc.ram", at: place)
        note("hugetlbsize", of: "pc.ram", at: "memoryBacking/hugepages/page@size")
        if let page, pages != nil {
            facts.append(
                Fact(
                    Subject(.vm), .memoryPage, .count(page),
                    from: "domain XML memoryBacking/hugepages/page@size"))
        }
    }

    // MARK: Threads

    /// As many as `<iothreads>` says, with the numbers that `<iothreadids>` gives them.
    private mutating func translateThreads() {
        note("iothread", at: "iothreads")
        let listed = domain["iothreadids"]?.all("iothread") ?? []
        for thread in listed {
            guard let number = thread.attribute("id") else { continue }
            let poll = thread["poll"]
            let id = "iothread" + number
            add(
                "-object",
                [
                    ("qom-type", "iothread"), ("id", id), ("poll-max-ns", poll?.attribute("max")),
                    ("thread-pool-max", thread.attribute("thread_pool_max")),
                ])
            note("poll-max-ns", of: id, at: "iothreadids/iothread \(number) poll@max")
            note(
                "thread-pool-max", of: id, at: "iothreadids/iothread \(number) @thread_pool_max")
        }
        let known = Set(listed.compactMap { $0.attribute("id") })
        // More threads than this no host runs, and a document may say any number.
        let limit = 1024
        let count = domain["iothreads"].flatMap { Int($0.text) } ?? 0
        var number = 1
        var missing = min(count, limit) - listed.count
        while missing > 0 {
            if !known.contains(String(number)) {
                add("-object", [("qom-type", "iothread"), ("id", "iothread\(number)")])
                missing -= 1
            }
            number += 1
        }
        guard let loop = domain["defaultiothread"] else { return }
        add(
            "-object",
            [
                ("qom-type", "main-loop"), ("id", "main-loop"),
                ("thread-pool-max", loop.attribute("thread_pool_max")),
            ])
        note("thread-pool-max", of: "main-loop", at: "defaultiothread@thread_pool_max")
    }

    /// The IOThreads that `driver` names, one or a mapping.
    func ioThreadPairs(_ driver: XMLElement?) -> [(key: String, value: String?)] {
        let mapped = driver?["iothreads"]?.all("iothread") ?? []
        guard mapped.isEmpty else {
            return mapped.enumerated().map { index, thread in
                let id = thread.attribute("id").map { "iothread" + $0 }
                return ("iothread-vq-mapping.\(index).iothread", id)
            }
        }
        return [("iothread", driver?.attribute("iothread").map { "iothread" + $0 })]
    }

    // MARK: What is given to QEMU as it is

    /// `<qemu:commandline>` and `<qemu:override>`, under whatever prefix their namespace has.
    private mutating func takeQEMUElements() {
        func name(_ element: XMLElement) -> Substring? {
            element.name.split(separator: ":").dropFirst().last
        }
        for element in domain.children where name(element) == "commandline" {
            for argument in element.children where name(argument) == "arg" {
                take(argument.attributes["value"] ?? "")
            }
        }
        for element in domain.children where name(element) == "override" {
            for device in element.children where name(device) == "device" {
                guard let alias = device.attribute("alias") else { continue }
                let frontends = device.children.filter { name($0) == "frontend" }
                for property in frontends.flatMap(\.children) where name(property) == "property" {
                    guard let key = property.attribute("name"),
                        let value = property.attribute("value")
                    else { continue }
                    arguments += ["-set", "device.\(alias).\(key)=\(value)"]
                    note(key, of: alias, at: "qemu:override \(alias) \(key)")
                }
            }
        }
    }

    private mutating func take(_ argument: String) {
        if arguments.last == "-set", argument.hasPrefix("device.") {
            let path = argument.prefix { $0 != "=" }
            let parts = path.split(separator: ".", maxSplits: 2).map { String($0) }
            if parts.count == 3 {
                note(parts[2], of: parts[1], at: "qemu:commandline -set " + argument)
            }
        }
        arguments.append(argument)
    }

    /// What virt-install and its like note down of the guest's system.
    private mutating func takeSystem() {
        func systems(_ element: XMLElement) -> [String] {
            let own = element.name.hasSuffix(":os") ? [element.attribute("id")] : []
            return own.compactMap { $0 } + element.children.flatMap(systems)
        }
        // Documents are not nested deeper than their reader allows.
        let ids = domain["metadata"].map(systems) ?? []
        if ids.contains(where: { $0.contains("microsoft.com/win") }) {
            facts.append(
                Fact(Subject(.guest), .guestSystem, "mswindows", from: "domain XML metadata os"))
        }
    }
}
