internal import ProcFS
internal import Telemetry

/// The host's CPUs and NUMA nodes, and how they may save power.
struct ProcessorFacts: Sendable {
    private static let host = Subject(.host)
    private static let directory = "/sys/devices/system/cpu/"
    /// Where CPUs are looked at one by one, and all are set alike nearly always, no more than this
    /// many are, spread evenly.
    static let sampleLimit = 64

    /// Numbers of the CPUs online at the last reading, ascending.
    private(set) var online: [Int] = []
    /// Of `online`, those looked at one by one.
    var sample: [Int] {
        let step = (online.count + Self.sampleLimit - 1) / Self.sampleLimit
        return step < 2
            ? online : online.enumerated().filter { $0.offset % step == 0 }.map(\.element)
    }
    /// Idle states that take 50 µs and more to leave, as the first CPU has them, by the names of
    /// their directories: `state3`. `nil` if the kernel does not manage idle states here.
    private(set) var deepStates: [String]?
    /// Cores do not change while the machine is up, unless CPUs are switched on or off.
    private var siblings: Fact?

    /// Reads them all: two files for each CPU, three once more, up to 64 CPUs.
    mutating func read(_ reader: inout FactReader) -> [Fact] {
        var facts = [cpuCount(&reader), nodes(&reader), virtualMachine(&reader)]
        facts.append(threadSiblings(&reader))
        facts.append(
            mostCommon(.frequencyGovernor, "cpufreq/scaling_governor", &reader))
        facts.append(
            mostCommon(.energyPreference, "cpufreq/energy_performance_preference", &reader))
        deepStates = readDeepStates(&reader)
        return facts
    }

    private mutating func cpuCount(_ reader: inout FactReader) -> Fact {
        let path = Self.directory + "online"
        let before = online
        defer { if online != before { siblings = nil } }
        do {
            let text = try reader.text(path)
            guard let list = CPUList(text), !list.numbers.isEmpty else {
                online = []
                return Fact(
                    Self.host, .cpuCount, missing: "it says “\(text.harmless(limit: 64))”",
                    from: path)
            }
            online = list.numbers
            return Fact(Self.host, .cpuCount, .count(online.count), from: path)
        } catch {
            online = []
            return Fact(Self.host, .cpuCount, missing: reader.reason(for: error), from: path)
        }
    }

    private func nodes(_ reader: inout FactReader) -> Fact {
        let path = "/sys/devices/system/node/has_memory"
        do {
            let text = try reader.text(path)
            guard let list = CPUList(text) else {
                return Fact(
                    Self.host, .numaNodes, missing: "it says “\(text.harmless(limit: 64))”",
                    from: path)
            }
            return Fact(Self.host, .numaNodes, .count(list.numbers.count), from: path)
        } catch {
            let reason = reader.reason(for: error, absence: "this kernel is built without NUMA")
            return Fact(Self.host, .numaNodes, missing: reason, from: path)
        }
    }

    /// The flags of the first CPU: the file has the same for each.
    private func virtualMachine(_ reader: inout FactReader) -> Fact {
        let path = "/proc/cpuinfo"
        do {
            let lines = try reader.text(path).split(separator: "\n")
            guard let flags = lines.first(where: { $0.hasPrefix("flags") }) else {
                return Fact(
                    Self.host, .isVirtualMachine, missing: "only CPUs of x86 tell", from: path)
            }
            let isVirtual = flags.split { $0 == " " || $0 == "\t" }.contains("hypervisor")
            return Fact(Self.host, .isVirtualMachine, .flag(isVirtual), from: "\(path), flags")
        } catch {
            let reason = reader.reason(for: error)
            return Fact(Self.host, .isVirtualMachine, missing: reason, from: path)
        }
    }

    private mutating func threadSiblings(_ reader: inout FactReader) -> Fact {
        if let siblings { return siblings }
        let file = "topology/thread_siblings_list"
        var cores: [[Int]] = []
        var seen: Set<Int> = []
        for cpu in online where !seen.contains(cpu) {
            guard let text = try? reader.text("\(Self.directory)cpu\(cpu)/\(file)"),
                let core = CPUList(text)
            else { continue }
            seen.formUnion(core.numbers)
            cores.append(core.numbers)
        }
        let path = "\(Self.directory)cpu*/\(file)"
        let words = cores.filter { $0.count > 1 }.map { core in
            core.map(String.init).joined(separator: ",")
        }
        let fact =
            cores.isEmpty
            ? Fact(Self.host, .threadSiblings, missing: "no CPU tells its core", from: path)
            : Fact(Self.host, .threadSiblings, .texts(words), from: path)
        siblings = fact
        return fact
    }

    private func mostCommon(_ name: FactName, _ file: String, _ reader: inout FactReader) -> Fact {
        let path = "\(Self.directory)cpu*/\(file)"
        var counts: [String: Int] = [:]
        for cpu in sample {
            guard let text = try? reader.text("\(Self.directory)cpu\(cpu)/\(file)"),
                !text.isEmpty
            else {
                // Where the first has none, none has.
                if counts.isEmpty { break }
                continue
            }
            counts[text, default: 0] += 1
        }
        guard let most = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }) else {
            let isManaged = reader.hasDirectory("\(Self.directory)cpu\(online.first ?? 0)/cpufreq")
            return Fact(
                Self.host, name,
                missing: isManaged
                    ? "this cpufreq driver has no such setting"
                    : "the kernel does not set frequencies here: firmware or a hypervisor does",
                from: path)
        }
        return Fact(Self.host, name, .text(most.key.harmless(limit: 64)), from: path)
    }

    private func readDeepStates(_ reader: inout FactReader) -> [String]? {
        let directory = "\(Self.directory)cpu\(online.first ?? 0)/cpuidle"
        let states = reader.list(directory).filter { $0.hasPrefix("state") }.sorted()
        guard !states.isEmpty else { return nil }
        return states.filter { (reader.number("\(directory)/\($0)/latency") ?? 0) >= 50 }
    }
}
