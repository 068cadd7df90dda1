import Libraries
import Telemetry

extension DomainTranslation {
    /// A `<disk>` as its device and nodes; media that can be taken out are no LUNs.
    mutating func translateDisk(_ element: XMLElement, number: Int) {
        let kind = element.attribute("device") ?? "disk"
        guard kind == "disk" || kind == "lun" else { return }
        var disk = DomainDisk(element, number: number)
        if disk.bus == "scsi" { addSCSI(disk.controller) }
        if let alias = adapterAlias(disk) { disk.adapter = alias }
        noteAll(disk)
        if element.attribute("type") == "vhostuser" {
            return addVhostUser(disk)
        }
        addNodes(disk)
        addDevice(disk)
        addLimits(disk)
        addChain(disk)
        if element.attribute("type") == "volume" {
            facts.append(
                Fact(
                    Subject(.lun(clean(disk.id))), .isDevice,
                    missing: "what a volume is its pool decides",
                    from: "domain XML disk \(clean(disk.target)) source"))
        }
    }

    private func adapterAlias(_ disk: DomainDisk) -> String? {
        controllers.first {
            $0.attribute("type") == disk.bus
                && ($0.attribute("index") ?? "0") == disk.controller
        }?["alias"]?.attribute("name")
    }

    /// Where the options of a disk stand.
    private mutating func noteAll(_ disk: DomainDisk) {
        let name = "disk \(disk.target) "
        note("driver", of: disk.id, at: name + "driver")
        for (option, attribute) in DomainDisk.driverAttributes
        where disk.driver?.attribute(attribute) != nil {
            note(option, of: disk.id, at: name + "driver@" + attribute)
        }
        if disk.driver?.attribute("rerror_policy") == nil, disk.readErrors != nil {
            note("rerror", of: disk.id, at: name + "driver@error_policy")
        }
        for option in ["logical_block_size", "physical_block_size"] {
            note(option, of: disk.id, at: name + "blockio@" + option)
        }
        if disk.element["readonly"] != nil { note("read-only", of: disk.id, at: name + "readonly") }
        note("file", of: disk.id, at: name + "source")
        if disk.driver?.attribute("type") == nil {
            note("format", of: disk.id, at: name + "without driver@type: raw")
        }
        note("iothread-vq-mapping", of: disk.id, at: name + "driver/iothreads")
        note("scsi", of: disk.id, at: name + "@device")
        note("cache-size", of: disk.id, at: name + "driver/metadata_cache/max_size")
        for option in ["bus", "addr", "multifunction"] {
            note(option, of: disk.id, at: name + "address")
        }
    }

    // MARK: Nodes

    private mutating func addNodes(_ disk: DomainDisk) {
        let driver = disk.driver
        let discard = driver?.attribute("discard")
        let cache = disk.cachePairs
        let isReadOnly = disk.element["readonly"] != nil ? "on" : nil
        var storage = disk.storagePairs
        storage += [("node-name", disk.node + "storage"), ("discard", discard)] + cache
        add("-blockdev", storage)
        var format: [(key: String, value: String?)] = [
            ("driver", disk.format), ("node-name", disk.node + "format"),
            ("file", disk.node + "storage"), ("discard", discard), ("read-only", isReadOnly),
            ("detect-zeroes", driver?.attribute("detect_zeroes")),
            ("cache-size", driver?["metadata_cache"]?["max_size"]?.text),
        ]
        if disk.format == "qcow2" { format.append(("encrypt.format", disk.encryption)) }
        add("-blockdev", format + cache)
        if disk.copiesOnRead {
            add(
                "-blockdev",
                [
                    ("driver", "copy-on-read"), ("node-name", disk.root),
                    ("file", disk.node + "format"), ("discard", discard),
                ])
        }
    }

    /// How many images lie below is settled where the document says where they end.
    private mutating func addChain(_ disk: DomainDisk) {
        var depth = 0
        var next = disk.element["backingStore"]
        while let image = next, image.attribute("type") != nil {
            depth += 1
            next = image["backingStore"]
        }
        guard next != nil, disk.format != "raw" else { return }
        facts.append(
            Fact(
                Subject(.lun(clean(disk.id))), .backingDepth, .count(depth),
                from: "domain XML disk \(clean(disk.target)) backingStore"))
    }

    // MARK: The device

    private mutating func addDevice(_ disk: DomainDisk) {
        let driver = disk.driver
        let blocks = disk.element["blockio"]
        var pairs: [(key: String, value: String?)] = [
            ("driver", model(of: disk)), ("id", disk.id), ("drive", disk.root),
            ("write-cache", disk.writeCache), ("werror", disk.writeErrors),
            ("rerror", disk.readErrors),
            ("logical_block_size", blocks?.attribute("logical_block_size")),
            ("physical_block_size", blocks?.attribute("physical_block_size")),
        ]
        if disk.bus == "virtio" {
            let isPassing = disk.element.attribute("device") == "lun"
            pairs += [
                ("num-queues", driver?.attribute("queues")),
                ("queue-size", driver?.attribute("queue_size")),
                ("ioeventfd", driver?.toggle("ioeventfd")),
                ("event_idx", driver?.toggle("event_idx")), ("packed", driver?.toggle("packed")),
                ("scsi", isPassing ? "on" : "off"),
            ]
            pairs += ioThreadPairs(driver) + placePairs(disk.element)
        } else if disk.bus == "scsi" || disk.bus == "sata" || disk.bus == "ide" {
            pairs.append(("bus", busName(of: disk)))
        }
        add("-device", pairs)
    }

    private func model(of disk: DomainDisk) -> String {
        switch disk.bus {
        case "virtio": virtioModel("virtio-blk", disk.element)
        case "scsi": disk.element.attribute("device") == "lun" ? "scsi-block" : "scsi-hd"
        case "sata", "ide": "ide-hd"
        case "usb": "usb-storage"
        case "sd": "sd-card"
        default: disk.bus
        }
    }

    /// The adapters that machines have on board go by other names.
    private func busName(of disk: DomainDisk) -> String {
        switch disk.bus {
        case "scsi": (disk.adapter ?? "scsi" + disk.controller) + ".0"
        case "sata" where !(isExpress && disk.controller == "0"):
            "sata\(disk.controller).\(disk.unit)"
        default: "ide.\(disk.unit)"
        }
    }

    private mutating func addVhostUser(_ disk: DomainDisk) {
        let driver = disk.driver
        let pairs: [(key: String, value: String?)] = [
            ("driver", virtioModel("vhost-user-blk", disk.element)), ("id", disk.id),
            ("chardev", "chr-vu-" + disk.id), ("num-queues", driver?.attribute("queues")),
            ("queue-size", driver?.attribute("queue_size")),
        ]
        add("-device", pairs + placePairs(disk.element))
    }

    /// libvirt sets them by QMP, in a group of the drive's name.
    private mutating func addLimits(_ disk: DomainDisk) {
        guard let tune = disk.element["iotune"] else { return }
        let words = ThrottleOption.all.compactMap { option -> String? in
            guard let text = tune[option.element]?.text, let number = UInt64(text), number > 0
            else { return nil }
            return "\(option.name)=\(number)"
        }
        guard !words.isEmpty else { return }
        let group = tune["group_name"]?.text ?? "drive-" + disk.id
        throttles[clean(disk.id)] = (words + ["group=" + clean(group)]).joined(separator: " ")
    }
}

/// A `<disk>` with the names libvirt gives it.
struct DomainDisk: Sendable {
    let element: XMLElement
    /// The guest's name for it as libvirt proposes it: `vda`.
    let target: String
    let bus: String
    /// The alias: `virtio-disk0`, `scsi0-0-0-1`, or what the document says.
    let id: String
    /// Number of the adapter it hangs on, and its place there.
    let controller: String
    let unit: String
    /// Names of its nodes begin so.
    let node: String
    /// The alias of its adapter where the document gives one.
    var adapter: String?

    /// `number` is its place among the disks, from 1.
    init(_ element: XMLElement, number: Int) {
        self.element = element
        target = element["target"]?.attribute("dev") ?? "\(number)"
        let name = target
        bus = element["target"]?.attribute("bus") ?? Self.bus(of: name)
        let place = element.all("address").first { $0.attribute("type") == "drive" }
        controller = place?.attribute("controller") ?? "0"
        let index = Self.index(of: name) ?? number - 1
        unit = place?.attribute("unit") ?? "\(index)"
        node = "libvirt-\(number)-"
        let drive = [controller, place?.attribute("bus") ?? "0"]
        let alias =
            switch bus {
            case "virtio": "virtio-disk\(index)"
            case "scsi":
                "scsi" + (drive + [place?.attribute("target") ?? "0", unit]).joined(separator: "-")
            case "ide", "sata": bus + (drive + [unit]).joined(separator: "-")
            default: "\(bus)-disk\(index)"
            }
        id = element["alias"]?.attribute("name") ?? alias
    }

    var driver: XMLElement? { element["driver"] }
    private var source: XMLElement? { element["source"] }

    /// The bus of a disk that the document gives none, by its name.
    private static func bus(of target: String) -> String {
        if target.hasPrefix("vd") { return "virtio" }
        return target.hasPrefix("sd") ? "scsi" : "ide"
    }

    /// 0 for `vda`, 26 for `vdaa`; `nil` for other names.
    private static func index(of target: String) -> Int? {
        let letters = target.utf8.dropFirst(target.hasPrefix("xvd") ? 3 : 2).prefix { $0 > 57 }
        guard (1...3).contains(letters.count), letters.allSatisfy({ (97...122).contains($0) })
        else { return nil }
        return letters.reduce(0) { $0 * 26 + Int($1) - 96 } - 1
    }

    /// Attributes of `<driver>` by the options that come of them.
    static let driverAttributes = [
        ("cache", "cache"), ("write-cache", "cache"), ("aio", "io"), ("format", "type"),
        ("discard", "discard"), ("detect-zeroes", "detect_zeroes"),
        ("copy-on-read", "copy_on_read"), ("num-queues", "queues"), ("queue-size", "queue_size"),
        ("ioeventfd", "ioeventfd"), ("event_idx", "event_idx"), ("packed", "packed"),
        ("werror", "error_policy"), ("rerror", "rerror_policy"), ("iothread", "iothread"),
    ]

    // MARK: Its medium

    /// What libvirt takes an image for that nobody says anything of.
    var format: String {
        let type = driver?.attribute("type") ?? "raw"
        return type == "raw" && encryption != nil ? "luks" : type
    }

    /// How it is encrypted, if it is.
    var encryption: String? {
        (source?["encryption"] ?? element["encryption"])?.attribute("format")
    }

    var copiesOnRead: Bool { driver?.attribute("copy_on_read") == "on" }

    /// Name of the topmost node.
    var root: String { copiesOnRead ? "libvirt-CoR-" + target : node + "format" }

    private var cache: String? {
        driver?.attribute("cache").flatMap { $0 == "default" ? nil : $0 }
    }

    /// The part of the cache mode that is the nodes'.
    var cachePairs: [(key: String, value: String?)] {
        guard let cache else { return [] }
        let isDirect = cache == "none" || cache == "directsync"
        return [
            ("cache.direct", isDirect ? "on" : "off"),
            ("cache.no-flush", cache == "unsafe" ? "on" : "off"),
        ]
    }

    /// The part that is the device's.
    var writeCache: String? {
        cache.map { ["writethrough", "directsync"].contains($0) ? "off" : "on" }
    }

    var writeErrors: String? {
        driver?.attribute("error_policy").map { $0 == "enospace" ? "enospc" : $0 }
    }

    /// What is said of writes holds for reads too, save for room, which reads do not need.
    var readErrors: String? {
        driver?.attribute("rerror_policy") ?? writeErrors.flatMap { $0 == "enospc" ? nil : $0 }
    }

    /// The lowest node, without what all nodes have.
    var storagePairs: [(key: String, value: String?)] {
        let aio = driver?.attribute("io")
        switch element.attribute("type") {
        case "block":
            return [
                ("driver", "host_device"), ("filename", source?.attribute("dev")), ("aio", aio),
            ]
        case "network":
            return [
                ("driver", source?.attribute("protocol") ?? "network"),
                ("path", source?.attribute("name")),
            ]
        case "nvme": return [("driver", "nvme"), ("device", source?.attribute("namespace"))]
        case "vhostvdpa":
            return [("driver", "virtio-blk-vhost-vdpa"), ("path", source?.attribute("dev"))]
        case "volume":
            let names = [source?.attribute("pool"), source?.attribute("volume")]
            let path = names.compactMap { $0 }.joined(separator: "/")
            return [("driver", "file"), ("filename", path), ("aio", aio)]
        default:
            return [("driver", "file"), ("filename", source?.attribute("file")), ("aio", aio)]
        }
    }
}
