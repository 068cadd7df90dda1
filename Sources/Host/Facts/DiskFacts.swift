internal import Kernel
internal import ProcFS
internal import SystemPackage
internal import Telemetry

/// How one disk of the host is set, what it is made of, and which interrupts are its adapter's.
struct DiskFacts: Sendable {
    let name: String
    let facts: [Fact]
    /// Whole disks it is made of, directly.
    let slaves: [String]
    /// Numbers of its adapter's interrupts.
    let interrupts: Set<Int>
    /// Why there are none.
    let interruptsAbsence: String

    /// Reads all of them: some 25 small files, and a directory or two.
    init(name: String, finder: BackingFinder, adapters: inout Adapters, _ reader: inout FactReader)
    {
        let subject = Subject(.disk(name))
        let directory = "/sys/class/block/\(sysName(name))/"
        let hasDevice = reader.hasDirectory(directory + "device")
        var facts = Self.files(in: directory, of: name, hasDevice: hasDevice).map {
            reader.fact(subject, $0)
        }
        facts.append(Self.writebackThrottle(subject, directory, &reader))
        facts.append(Self.hardwareQueues(subject, directory, reader))
        slaves = finder.slaves(of: name)
        facts.append(
            Fact(subject, .slaves, .texts(slaves), from: directory + "slaves"))
        facts.append(
            Fact(
                subject, .leaves, .texts(finder.leaves(below: name)), from: directory + "slaves"))
        let place = adapters.place(of: name, reader)
        facts.append(Self.numaNode(subject, directory, place, &reader))
        facts.append(Self.coalescing(subject, place, &reader))
        interrupts = adapters.interrupts(of: place, &reader)
        interruptsAbsence =
            place.functions.isEmpty
            ? "it has no PCI device of its own" : "its adapter has no interrupts of its own"
        self.name = name
        self.facts =
            place.isThere
            ? facts
            : facts.map {
                Fact(subject, $0.name, missing: "the host has no such disk", from: $0.source)
            }
    }

    /// Facts that a file holds as it stands.
    private static func files(
        in directory: String, of name: String, hasDevice: Bool
    ) -> [FactFile] {
        let queue = directory + "queue/"
        let noDevice = hasDevice ? "its driver does not tell" : "it has no device of its own"
        let noMapper = "it is not made by the device mapper"
        let noLoop = name.hasPrefix("loop") ? "it has no file now" : "it is no loop device"
        return [
            FactFile(.addRandom, queue + "add_random", .flag),
            FactFile(.model, directory + "device/model", .text, absence: noDevice),
            FactFile(.vendor, directory + "device/vendor", .text, absence: noDevice),
            FactFile(
                .deviceQueueDepth, directory + "device/queue_depth", .number(),
                absence: "it is no SCSI disk"),
            FactFile(.writeCache, queue + "write_cache", .text),
            FactFile(.requestAffinity, queue + "rq_affinity", .number()),
            FactFile(.noMerges, queue + "nomerges", .number()),
            FactFile(.accountsIO, queue + "iostats", .flag),
            FactFile(.maxRequest, queue + "max_sectors_kb", .number(unit: 1024)),
            FactFile(.maxSegments, queue + "max_segments", .number()),
            FactFile(.logicalBlock, queue + "logical_block_size", .number()),
            FactFile(.physicalBlock, queue + "physical_block_size", .number()),
            FactFile(.optimalIO, queue + "optimal_io_size", .number()),
            FactFile(.alignmentOffset, directory + "alignment_offset", .number()),
            FactFile(.mapperUUID, directory + "dm/uuid", .text, absence: noMapper),
            FactFile(.loopDirectIO, directory + "loop/dio", .flag, absence: noLoop),
            FactFile(.loopFile, directory + "loop/backing_file", .text, absence: noLoop),
        ]
    }

    /// A queue without throttling has the file, which answers that this is invalid.
    private static func writebackThrottle(
        _ subject: Subject, _ directory: String, _ reader: inout FactReader
    ) -> Fact {
        let path = directory + "queue/wbt_lat_usec"
        do {
            _ = try reader.text(path)
        } catch {
            if error.errno == .invalidArgument {
                return Fact(subject, .writebackThrottle, 0, from: path)
            }
        }
        return reader.fact(
            subject,
            FactFile(
                .writebackThrottle, path, .number(),
                absence: "this queue has no writeback throttling"))
    }

    private static func hardwareQueues(
        _ subject: Subject, _ directory: String, _ reader: FactReader
    ) -> Fact {
        let path = directory + "mq"
        let queues = reader.list(path).count { Int($0) != nil }
        return queues > 0
            ? Fact(subject, .hardwareQueues, .count(queues), from: path)
            : Fact(subject, .hardwareQueues, missing: "it has no queues of its own", from: path)
    }

    // MARK: Where it hangs

    private static func numaNode(
        _ subject: Subject, _ directory: String, _ place: Adapters.Place,
        _ reader: inout FactReader
    ) -> Fact {
        let own = directory + "device/numa_node"
        let above = place.functions.map { Adapters.directory + $0 + "/numa_node" }
        for path in [own] + above {
            guard let node = reader.number(path) else { continue }
            return Fact(subject, .numaNode, .count(node), from: path)
        }
        return Fact(
            subject, .numaNode, missing: "neither it nor a device above it tells its node",
            from: above.first ?? own)
    }

    private static func coalescing(
        _ subject: Subject, _ place: Adapters.Place, _ reader: inout FactReader
    ) -> Fact {
        let absence = "only adapters of qla2xxx have it"
        guard let host = place.scsiHost else {
            return Fact(
                subject, .interruptCoalescing, missing: absence, from: "/sys/class/scsi_host")
        }
        return reader.fact(
            subject,
            FactFile(
                .interruptCoalescing, "/sys/class/scsi_host/\(host)/zio", .text,
                absence: absence))
    }
}

/// The PCI functions that disks hang on, each asked once.
struct Adapters: Sendable {
    static let directory = "/sys/bus/pci/devices/"

    /// Where in the machine a disk is.
    struct Place: Sendable, Equatable {
        /// Whether there is such a disk at all.
        var isThere: Bool
        /// Addresses of its adapter, of several for an NVMe disk of several paths:
        /// `0000:03:00.0`.
        var functions: [String] = []
        /// `host3`, the SCSI host it belongs to.
        var scsiHost: String?
    }
    private var interrupts: [String: Set<Int>] = [:]

    /// Where disk `name` is, by the directory of the device that it stands for.
    func place(of name: String, _ reader: FactReader) -> Place {
        let link = "/sys/class/block/\(sysName(name))"
        guard let path = try? reader.files.link(link) else { return Place(isThere: false) }
        let parts = path.split(separator: "/")
        var place = Place(isThere: true)
        place.functions = parts.last(where: Self.isFunction).map { [String($0)] } ?? []
        place.scsiHost = parts.first { Self.is($0, "host") }.map(String.init)
        guard place.functions.isEmpty, parts.contains("nvme-subsystem") else { return place }
        // A disk of several paths is the subsystem's, which has a link to each controller.
        let controllers = reader.list(link + "/device").filter { Self.is($0[...], "nvme") }
        place.functions = controllers.sorted().compactMap { controller in
            let path = try? reader.files.link("/sys/class/nvme/\(controller)")
            return path?.split(separator: "/").last(where: Self.isFunction).map(String.init)
        }
        return place
    }

    /// Numbers of the interrupts of the adapters of `place`.
    mutating func interrupts(of place: Place, _ reader: inout FactReader) -> Set<Int> {
        var numbers: Set<Int> = []
        for function in place.functions {
            if let known = interrupts[function] {
                numbers.formUnion(known)
                continue
            }
            var own = Set(reader.list(Self.directory + function + "/msi_irqs").compactMap(Int.init))
            // Without messages it has a line, which it may share; 0 is none.
            if own.isEmpty, let line = reader.number(Self.directory + function + "/irq"), line > 0 {
                own = [line]
            }
            interrupts[function] = own
            numbers.formUnion(own)
        }
        return numbers
    }

    /// `0000:03:00.0`: domain, bus, device and function.
    private static func isFunction(_ name: Substring) -> Bool {
        let parts = name.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return false }
        let last = parts[2].split(separator: ".", omittingEmptySubsequences: false)
        return last.count == 2
            && (parts[..<2] + last).allSatisfy { Int($0, radix: 16) != nil }
    }

    /// Whether `name` is `word` and a number.
    private static func `is`(_ name: Substring, _ word: String) -> Bool {
        name.hasPrefix(word) && Int(name.dropFirst(word.count)) != nil
    }
}
