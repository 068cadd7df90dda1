import QMP
import Telemetry

/// libFuzzer's entry: the first byte says how the rest is cut, the second where the conversation
/// stands and with whom; the rest is what the server sends.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    guard input.count >= 2 else { return 0 }
    let stream = input.dropFirst(2)
    if input[1] & 2 != 0 {
        talkToAgent(stream, choice: Int(input[1] >> 2), cuts: Cuts(seed: input[0]))
        return 0
    }
    let isReady = input[1] & 1 == 0
    var whole = Conversation(isReady: isReady)
    whole.receive(stream)
    var cut = Conversation(isReady: isReady)
    var rest = stream
    var cuts = Cuts(seed: input[0])
    while !rest.isEmpty {
        let piece = rest.prefix(cuts.next())
        cut.receive(piece)
        rest = rest.dropFirst(piece.count)
    }
    require(whole.outcomes == cut.outcomes, "what came of it depends on how it came")
    whole.finish()
    cut.finish()
    require(whole.outcomes == cut.outcomes, "what was late depends on how it came")
    if let value = try? QMPValue(parsing: Array(stream)) {
        require(value == value, "a value differs from itself")
    }
    return 0
}

/// The same with a guest's agent.
private func talkToAgent(_ stream: ArraySlice<UInt8>, choice: Int, cuts: Cuts) {
    var whole = AgentConversation(choice: choice)
    whole.receive(stream)
    var cut = AgentConversation(choice: choice)
    var cuts = cuts
    var rest = stream
    while !rest.isEmpty {
        let piece = rest.prefix(cuts.next())
        cut.receive(piece)
        rest = rest.dropFirst(piece.count)
    }
    require(whole.outcomes == cut.outcomes, "what came of it depends on how it came")
    whole.finish()
    cut.finish()
    require(whole.outcomes == cut.outcomes, "what was late depends on how it came")
}

/// Lengths of pieces, many of them short.
private struct Cuts {
    private var state: UInt32

    init(seed: UInt8) { state = UInt32(seed) &* 2_654_435_761 &+ 1 }

    mutating func next() -> Int {
        state = state &* 1_664_525 &+ 1_013_904_223
        let length = Int(state >> 24)
        return length < 128 ? 1 + length & 7 : length
    }
}

/// One session that has asked everything there is to ask.
private struct Conversation {
    private var session = QMPSession(connectedAt: 0, longestMessage: 2048)
    private var waiting: Set<QMPRequest> = []
    private(set) var outcomes: [QMPOutcome] = []
    private var hasFailed = false

    /// A call of every kind, by its id less one.
    static let queries: [QMPQuery] = [
        .version, .commands, .name, .status, .kvm, .cpus, .ioThreads, .block, .blockStats,
        .namedBlockNodes, .blockGraph, .pci, .memorySize, .migration, .blockJobs,
        .qomGet(path: "p", property: "q"), .qomList(path: "p"), .virtio, .virtioStatus(path: "p"),
        .virtioQueueStatus(path: "p", queue: 0), .stats(.vcpu, names: []), .monitorText(.block),
        .machines, .memoryBackends, .balloon, .ramBlocks, .monitorText(.lockProfileState),
        .monitorText(.lockProfile),
    ]

    /// Further ones, with the ids behind those of the changes.
    static let laterQueries: [QMPQuery] = [
        .monitorText(.memoryMap), .monitorText(.hostAddress(ofGuest: 0)),
        .vhostQueueStatus(path: "p", queue: 0),
    ]

    init(isReady: Bool) {
        if isReady {
            receive(Array(#"{"QMP":{"version":{}}}{"return":{},"id":0}"#.utf8)[...])
            require(session.state == .ready, "not ready")
        }
        for query in Self.queries { waiting.insert(session.ask(query, at: 1, within: 9)) }
        let changes: [QMPChange] = [
            .setLatencyHistograms(device: "d", boundaries: [1, 2]), .profileLocks(true),
        ]
        for change in changes { waiting.insert(session.change(change, at: 1, within: 9)) }
        for query in Self.laterQueries { waiting.insert(session.ask(query, at: 1, within: 9)) }
        require(session.takeOutput().isEmpty != isReady, "calls and readiness")
    }

    mutating func receive(_ bytes: ArraySlice<UInt8>) {
        for outcome in session.receive(bytes, at: 2) { take(outcome) }
        require(session.pendingCount <= waiting.count || hasFailed, "a call was answered twice")
    }

    /// Lets the time of all calls pass.
    mutating func finish() {
        for outcome in session.advance(to: 20_000_000_000) { take(outcome) }
        require(session.nextDeadline == nil, "time stands still")
        for outcome in session.hangUp() { take(outcome) }
        require(hasFailed && session.pendingCount == 0, "a call outlives its session")
    }

    private mutating func take(_ outcome: QMPOutcome) {
        require(!hasFailed, "something came after the end")
        switch outcome {
        case .reply(let request, let reply):
            require(waiting.remove(request) != nil, "an answer to nobody")
            check(reply)
        case .refused(let request, let kind, let words):
            require(waiting.remove(request) != nil, "an answer to nobody")
            require(kind.isHarmless && words.isHarmless, "text that a terminal obeys")
        case .unreadable(let request):
            require(waiting.remove(request) != nil, "an answer to nobody")
        case .event(let event): require(event.name.isHarmless, "text that a terminal obeys")
        case .late(let request): require(waiting.contains(request), "late after its answer")
        case .ready: break
        case .failed(let error):
            hasFailed = true
            require(error.description.isHarmless, "text that a terminal obeys")
            // What is shown of junk depends on how much of it has come.
            if case .notQMP = error {
                outcomes.append(.failed(.notQMP(sent: "")))
                return
            }
        }
        outcomes.append(outcome)
    }

    private func check(_ reply: QMPReply) {
        switch reply {
        case .name(let name): require(name?.isHarmless ?? true, "text that a terminal obeys")
        case .blockStats(let disks):
            for disk in disks {
                guard let histogram = disk.reads.histogram else { continue }
                require(
                    histogram.bins.count == histogram.boundaries.count + 1, "bins do not fit")
            }
        case .lockProfile(let profile):
            require(profile.sites.allSatisfy { $0.waited >= 0 }, "less than no time")
        case .monitorText(let text): checkMemory(text)
        default: break
        }
    }
}

/// Takes `text` for what the human monitor says of memory.
private func checkMemory(_ text: String) {
    let ranges = QMPMemoryRange.all(in: text) ?? []
    require(ranges.count <= 4096, "a list without end")
    require(ranges.allSatisfy { $0.start <= $0.last }, "memory that ends before it begins")
    require(ranges.allSatisfy { $0.name.isHarmless }, "text that a terminal obeys")
    require(QMPHostAddress(text)?.host != 0, "memory at no address")
    _ = QMPRAMBlock.all(in: text)
}

extension String {
    /// Whether it may be shown on one line of a terminal.
    var isHarmless: Bool {
        unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    }
}

/// Stops the process where an invariant does not hold; libFuzzer then keeps the input.
func require(_ condition: Bool, _ what: StaticString) {
    if !condition { fatalError("\(what)") }
}
