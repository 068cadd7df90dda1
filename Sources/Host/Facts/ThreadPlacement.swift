internal import ProcFS
internal import Telemetry

/// On which CPUs the vCPUs and IOThreads may run, and what they call themselves.
struct ThreadPlacement: Sendable {
    private(set) var facts: [Fact] = []
    /// All threads bear the program's name; `nil` if that is not known.
    private(set) var isAnonymous: Bool?

    mutating func update(_ threads: [WatchedThread], through reader: inout ProcessReader) {
        facts = [Self.vcpuFact(threads, through: &reader)]
        for thread in threads {
            guard let id = thread.ioThreadID else { continue }
            let path = reader.path("task/\(thread.tid)/status")
            facts.append(
                Fact(Subject(.ioThread(id)), .allowedCPUs, from: path) { () throws(Absence) in
                    .text(try Self.allowedCPUs(path, through: &reader))
                })
        }
        facts.append(nameFact(threads, through: &reader))
    }

    private static func allowedCPUs(
        _ path: String, through reader: inout ProcessReader
    ) throws(Absence) -> String {
        try reader.read(path) { try ThreadAffinity($0) }.allowedCPUs
    }

    private static func vcpuFact(
        _ threads: [WatchedThread], through reader: inout ProcessReader
    ) -> Fact {
        let vcpus = threads.filter { $0.role == .vcpu }
            .map { (number: vcpuNumber($0), tid: $0.tid) }.sorted { $0 < $1 }
        return Fact(Subject(.vm), .vcpuCPUs, from: reader.path("task/*/status")) {
            () throws(Absence) in
            guard !vcpus.isEmpty else {
                throw Absence(reason: "its vCPUs' threads are not known (query-cpus-fast)")
            }
            var all: [String] = []
            for vcpu in vcpus {
                let path = reader.path("task/\(vcpu.tid)/status")
                all.append(try allowedCPUs(path, through: &reader))
            }
            return .texts(all)
        }
    }

    /// `CPU 3` and `CPU 3/KVM` are number 3; others come last.
    private static func vcpuNumber(_ thread: WatchedThread) -> Int {
        let name = (thread.name ?? "").dropFirst("CPU ".count)
        return Int(name.prefix { $0.isASCII && $0.isNumber }) ?? .max
    }

    /// Libraries and the kernel name their threads always: only QEMU's own tell.
    private mutating func nameFact(
        _ threads: [WatchedThread], through reader: inout ProcessReader
    ) -> Fact {
        let own = threads.filter { $0.role == .vcpu || $0.role == .iothread }
        let path = reader.path("task/*/stat")
        isAnonymous = nil
        let fact = Fact(Subject(.vm), .threadsAreAnonymous, from: path) { () throws(Absence) in
            guard !own.isEmpty else {
                throw .threads
            }
            let program = try Self.name(reader.pid, through: &reader)
            for thread in own where try Self.name(thread.tid, through: &reader) != program {
                return false
            }
            return true
        }
        if case .flag(let flag) = fact.value { isAnonymous = flag }
        return fact
    }

    private static func name(
        _ tid: Int, through reader: inout ProcessReader
    ) throws(Absence) -> String {
        try reader.read(reader.path("task/\(tid)/stat")) { try ThreadStat($0) }.name
    }
}

extension WatchedThread {
    /// The id of the IOThread that it is, `nil` for other threads.
    var ioThreadID: String? {
        guard role == .iothread, let name, name.hasPrefix("IO ") else { return nil }
        return String(name.dropFirst(3))
    }
}
