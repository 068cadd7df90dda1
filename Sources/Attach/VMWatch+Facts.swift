import QMP
import Telemetry

extension VMWatch {
    /// Facts of QMP, of the command line and of the connection itself, all of them; `nil`: they are
    /// those of the last call. Subjects have no VM, and those about vblktop are `.tool`; the locks
    /// are told with those.
    mutating func facts(at now: Nanoseconds) -> [Fact]? {
        effort.measure(at: now)
        let locks = lockProfile.fact(isConnected: readySince != nil && !isStale)
        let tool = toolFacts(at: now) + [locks].compactMap { $0 }
        let model = model.facts(at: now)
        guard model != nil || tool != toldOfTool else { return nil }
        if let model { toldOfModel = model }
        toldOfTool = tool
        return toldOfModel + tool
    }

    private func toolFacts(at now: Nanoseconds) -> [Fact] {
        let connection: [Fact] = [unansweredFact(at: now), greetingFact(at: now)]
        let source = "QMP round trips"
        guard let percent = effort.percent else {
            return connection + [
                Fact(
                    Subject(.tool), .questionTime,
                    missing: readySince == nil
                        ? "QMP is not connected" : "it is measured over ten seconds", from: source)
            ]
        }
        return connection + [Fact(Subject(.tool), .questionTime, .number(percent), from: source)]
    }

    private func unansweredFact(at now: Nanoseconds) -> Fact {
        let source = clean(link.map { $0.address.description } ?? "QMP")
        guard readySince != nil, let link else {
            return Fact(
                Subject(.tool), .unanswered,
                missing: link == nil ? noSocket : "QMP is not connected", from: source)
        }
        return Fact(
            Subject(.tool), .unanswered, .number(Self.seconds(link.oldestCall, to: now)),
            from: source)
    }

    private func greetingFact(at now: Nanoseconds) -> Fact {
        let source = clean(link.map { $0.address.description } ?? "QMP")
        guard let link else {
            return Fact(Subject(.tool), .greetingMissing, missing: noSocket, from: source)
        }
        guard readySince != nil || link.ungreetedSince != nil else {
            return Fact(
                Subject(.tool), .greetingMissing,
                missing: clean(link.problem ?? "QMP is not connected"), from: source)
        }
        return Fact(
            Subject(.tool), .greetingMissing, .number(Self.seconds(link.ungreetedSince, to: now)),
            from: source)
    }

    /// Whole seconds for the first minute, and then as all ages.
    private static func seconds(_ start: Nanoseconds?, to now: Nanoseconds) -> Double {
        guard let start, now > start else { return 0 }
        let seconds = (now - start) / 1_000_000_000
        return seconds < 60 ? Double(seconds) : coarseAge(since: start, at: now)
    }
}
