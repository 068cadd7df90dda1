internal import Telemetry

// What rows are, field by field, in the order of the file. A further field is visited last.

/// A row of a sample as recordings keep it.
protocol RecordedRow: NumberedRow {
    /// Visits all that is no number.
    mutating func walkFields(_ walker: inout FieldWalker)
    /// A row with nothing known.
    static var blank: Self { get }
    /// Which of the numbers is the time between the readings that rates are made of.
    static var spanColumn: Int? { get }
    /// Forms of the numbers of a tail.
    static var tailKinds: [ColumnKind] { get }
    /// The order of the `count` columns in the file: the duration before the rates.
    static func columnOrder(_ count: Int) -> [Int]
    /// Rows that the tail is.
    var tailCount: Int { get }
}

extension VirtualMachine: RecordedRow {
    static var blank: Self {
        VirtualMachine(
            name: "", pid: nil, version: "", accelerator: nil, status: "", vcpus: nil,
            memoryBytes: nil)
    }

    mutating func walkFields(_ walker: inout FieldWalker) {
        walker.visit(&name)
        walker.visit(&pid)
        walker.visit(&version)
        var word = accelerator?.rawValue
        walker.visit(&word)
        accelerator = word.flatMap { Accelerator(rawValue: $0) }
        walker.visit(&status)
        walker.visit(&vcpus)
        walker.visit(&memoryBytes)
        walker.visit(&qmp)
    }
}

extension LUN: RecordedRow {
    static var blank: Self { LUN(id: "", device: "") }

    mutating func walkFields(_ walker: inout FieldWalker) {
        walker.visit(&vm)
        walker.visit(&id)
        walker.visit(&node)
        walker.visit(&device)
        walker.visit(&queues)
        walker.visit(&queueSize)
        walker.visit(&ioThread)
        walker.visit(&isOnMainLoop)
        walker.visit(&pciAddress)
        walker.visit(&file)
        walker.visit(&format)
        walker.visit(&cache)
        walker.visit(&aio)
        walkGraph(&walker)
        walker.visit(&throttle)
        walker.visit(&features)
        walker.visit(&hostDisk)
        walker.visit(&modelled)
        let count = walker.visit(count: virtqueues.count)
        if walker.reads {
            virtqueues = Array(
                repeating: Virtqueue(index: 0, size: 0, availIndex: 0, usedIndex: 0, inFlight: 0),
                count: count)
        }
        for index in 0..<count {
            walker.visit(&virtqueues[index].index)
            walker.visit(&virtqueues[index].size)
        }
        walker.visit(&path)
    }

    private mutating func walkGraph(_ walker: inout FieldWalker) {
        let count = walker.visit(count: graph.count)
        if walker.reads {
            graph = Array(repeating: BlockNode(name: "", driver: ""), count: count)
        }
        for index in 0..<count {
            walker.visit(&graph[index].name)
            walker.visit(&graph[index].driver)
            walker.visit(&graph[index].file)
            walker.visit(&graph[index].isDirect)
        }
    }
}

extension ThreadActivity: RecordedRow {
    static var blank: Self { ThreadActivity(tid: 0, role: .other, name: "") }

    mutating func walkFields(_ walker: inout FieldWalker) {
        walker.visit(&vm)
        walker.visit(&tid)
        walker.visit(&role, else: .other)
        walker.visit(&name)
        walker.visit(&luns)
        var keys = probes.map(\.key)
        walker.visit(&keys)
        if walker.reads { probes = keys.map { ProbeValue(key: $0, value: nil) } }
    }
}

extension LockActivity: RecordedRow {
    static var blank: Self {
        LockActivity(name: "", waits: nil, waitPercent: nil, longest: nil, waiters: [])
    }

    mutating func walkFields(_ walker: inout FieldWalker) {
        walker.visit(&vm)
        walker.visit(&name)
        walker.visit(&waiters)
    }
}

extension HostDisk: RecordedRow {
    static var blank: Self { HostDisk(name: "") }

    mutating func walkFields(_ walker: inout FieldWalker) {
        walker.visit(&name)
        walker.visit(&scheduler)
        walker.visit(&queueSize)
        walker.visit(&isRotational)
        walker.visit(&luns)
    }
}

extension EventCount: RecordedRow {
    static var blank: Self { EventCount(kind: .interrupt, name: "", source: "") }

    mutating func walkFields(_ walker: inout FieldWalker) {
        walker.visit(&kind, else: .interrupt)
        walker.visit(&vm)
        walker.visit(&name)
        walker.visit(&detail)
        walker.visit(&source)
        var marks = [Bool](repeating: false, count: perCPU.count)
        // A byte a CPU, so that the count is bounded by what is there.
        let count = walker.visit(count: marks.count)
        if walker.reads { marks = Array(repeating: false, count: count) }
        for index in 0..<count { walker.visit(&marks[index]) }
        if walker.reads { perCPU = Array(repeating: 0, count: count) }
    }
}

extension ProbeColumn: RecordedRow {
    static var blank: Self {
        ProbeColumn(key: "", title: "", unit: .count, meaning: "", source: "")
    }

    mutating func walkFields(_ walker: inout FieldWalker) {
        walker.visit(&key)
        walker.visit(&title)
        walker.visit(&unit, else: .count)
        walker.visit(&meaning)
        walker.visit(&source)
    }
}

extension Finding: RecordedRow {
    static var blank: Self {
        Finding(rule: "", severity: .info, scope: "", title: "", evidence: "", fix: "")
    }

    mutating func walkFields(_ walker: inout FieldWalker) {
        walker.visit(&rule)
        walker.visit(&severity, else: .info)
        walker.visit(&scope)
        walker.visit(&title)
        walker.visit(&evidence)
        walker.visit(&fix)
        walker.visit(&sources)
        walker.visit(&effect)
        walker.visit(&remedy.qemu)
        walker.visit(&remedy.libvirt)
        walker.visit(&remedy.live)
        walker.visit(&remedy.verify)
        walker.visit(&cause)
        walker.visit(&since)
        walker.visit(&cleared)
    }
}

extension Notice: RecordedRow {
    static var blank: Self { Notice(monotonic: 0, severity: .info, text: "") }

    mutating func walkFields(_ walker: inout FieldWalker) {
        walker.visit(&monotonic)
        walker.visit(&vm)
        walker.visit(&severity, else: .info)
        walker.visit(&text)
    }
}

extension SourceStatus: RecordedRow {
    static var blank: Self { SourceStatus(name: "", state: .ok) }

    mutating func walkFields(_ walker: inout FieldWalker) {
        walker.visit(&name)
        walker.visit(&vm)
        walker.visit(&state, else: .failed)
        walker.visit(&detail)
    }
}

extension Unavailable: RecordedRow {
    static var blank: Self { Unavailable(metric: "", reason: "") }

    mutating func walkFields(_ walker: inout FieldWalker) {
        walker.visit(&metric)
        walker.visit(&reason)
        walker.visit(&remedy)
    }
}
