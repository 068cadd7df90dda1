internal import Kernel
internal import ProcFS
internal import Telemetry

/// What the host's CPUs did between two readings: which were busy, how fast they ran, how deep they
/// slept.
struct ProcessorLoad: Sendable {
    private static let host = Subject(.host)
    private static let directory = "/sys/devices/system/cpu/"
    /// From this share of its time on a CPU counts as busy, percent.
    private static let busyLimit = 50.0
    /// Of busy CPUs the busiest are asked for their frequency.
    private static let frequencyLimit = 16

    private var times: (at: Nanoseconds, cpus: [Int: CPUTimesTable.Times])?
    private var sleep: (at: Nanoseconds, microseconds: [Int: UInt64])?
    /// Percent of its time that each CPU spent in interrupts, over the last interval.
    private(set) var interruptShares: [Int: Double] = [:]
    /// Percent that each worked.
    private(set) var busyShares: [Int: Double] = [:]

    /// Brings the shares up to date; the clock's ticks are counted, so that no clock is needed.
    mutating func readTimes(_ reader: inout FactReader, now: Nanoseconds) {
        let before = times
        times = nil
        interruptShares = [:]
        busyShares = [:]
        guard let table = try? reader.value("/proc/stat", parse: { try CPUTimesTable($0) }) else {
            return
        }
        times = (now, table.cpus)
        for (cpu, new) in table.cpus {
            guard let old = before?.cpus[cpu], new.whole > old.whole, new.busy >= old.busy,
                new.interrupts >= old.interrupts
            else { continue }
            let whole = Double(new.whole - old.whole)
            busyShares[cpu] = min(Double(new.busy - old.busy) / whole * 100, 100)
            interruptShares[cpu] = min(Double(new.interrupts - old.interrupts) / whole * 100, 100)
        }
    }

    /// The frequency of the slowest of the busy CPUs, of the highest that one core can have, and of
    /// the one it keeps without turbo.
    func frequency(_ reader: inout FactReader) -> [Fact] {
        [
            frequency(
                .frequencyShare, of: "cpuinfo_max_freq", &reader,
                absence: "this cpufreq driver does not tell frequencies"),
            frequency(
                .baseFrequencyShare, of: "base_frequency", &reader,
                absence: "this cpufreq driver does not tell the clock without turbo"),
        ]
    }

    private func frequency(
        _ name: FactName, of file: String, _ reader: inout FactReader, absence: String
    ) -> Fact {
        let path = "\(Self.directory)cpu*/cpufreq/scaling_cur_freq, \(file)"
        let busy = busyShares.filter { $0.value >= Self.busyLimit }
            .sorted { ($0.value, $1.key) > ($1.value, $0.key) }.map(\.key)
        guard let first = busy.first ?? times?.cpus.keys.min(),
            reader.hasDirectory("\(Self.directory)cpu\(first)/cpufreq")
        else {
            return Fact(
                Self.host, name,
                missing: "the kernel does not set frequencies here: firmware or a hypervisor does",
                from: path)
        }
        guard !busyShares.isEmpty else {
            return Fact(Self.host, name, missing: secondReading, from: path)
        }
        var lowest: Double?
        for cpu in busy.prefix(Self.frequencyLimit) {
            let directory = "\(Self.directory)cpu\(cpu)/cpufreq/"
            guard let now = reader.number(directory + "scaling_cur_freq"),
                let most = reader.number(directory + file), now > 0, most > 0
            else { continue }
            lowest = min(lowest ?? .infinity, Double(now) / Double(most) * 100)
        }
        guard let lowest else {
            let reason = busy.isEmpty ? "no CPU is busy" : absence
            return Fact(Self.host, name, missing: reason, from: path)
        }
        return Fact(Self.host, name, .number(lowest.roundedToTenths), from: path)
    }

    /// The share of the time that those of `cpus` which serve VMs spent in the states `states` of
    /// `cpuidle`. All of `cpus` are read, as others may serve at the next reading.
    mutating func deepIdle(
        _ reader: inout FactReader, cpus: [Int], serving: Set<Int>, states: [String]?,
        now: Nanoseconds
    ) -> Fact {
        let path = "\(Self.directory)cpu*/cpuidle/state*/latency, time"
        let before = sleep
        sleep = nil
        guard let states else {
            return Fact(
                Self.host, .deepIdleShare, missing: "the kernel does not manage idle states here",
                from: path)
        }
        guard !states.isEmpty else { return Fact(Self.host, .deepIdleShare, 0, from: path) }
        var microseconds: [Int: UInt64] = [:]
        for cpu in Set(cpus).union(serving.sorted().prefix(ProcessorFacts.sampleLimit)) {
            let times = states.compactMap {
                reader.number("\(Self.directory)cpu\(cpu)/cpuidle/\($0)/time")
            }
            guard times.count == states.count else { continue }
            microseconds[cpu] = times.reduce(0) { $0 &+ UInt64(clamping: $1) }
        }
        sleep = (now, microseconds)
        guard !serving.isEmpty else {
            return Fact(
                Self.host, .deepIdleShare,
                missing: "on which CPUs the VMs' threads run is not known", from: path)
        }
        guard let before, let interval = RateInterval(from: before.at, to: now) else {
            return Fact(Self.host, .deepIdleShare, missing: secondReading, from: path)
        }
        let shares = microseconds.filter { serving.contains($0.key) }.compactMap { cpu, new in
            before.microseconds[cpu].flatMap { interval.rate($0, new) }
                .map { min($0 / 1e6, 1) * 100 }
        }
        guard !shares.isEmpty else {
            return Fact(Self.host, .deepIdleShare, missing: secondReading, from: path)
        }
        let mean = shares.reduce(0, +) / Double(shares.count)
        return Fact(Self.host, .deepIdleShare, .number(mean.roundedToTenths), from: path)
    }
}

/// Why a rate is not known after one reading.
let secondReading = "needs a second reading"
