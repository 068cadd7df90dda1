import QMP
import Telemetry

extension VMWatch {
    /// Takes what the connection brought.
    mutating func take(_ outcome: QMPOutcome, now: Nanoseconds) {
        switch outcome {
        case .ready(let version): becomeReady(version, now: now)
        case .reply(let request, let reply): take(reply, to: request, now: now)
        case .refused(let request, let kind, let description):
            forget(request)
            switch request.call {
            case .query(let query): model.takeRefusal(of: query, kind: kind)
            case .change(.setLatencyHistograms(let disk, _)):
                histograms.takeRefusal(of: disk)
                note(.warning, "no histograms for \(clean(disk)): \(clean(description))", at: now)
            case .change: break
            }
        case .unreadable(let request): forget(request)
        case .late(let request):
            if request == statsRequest { cadence.missed() }
            forget(request)
        case .event(let event): notices += model.take(event, at: now)
        case .failed: break
        }
    }

    private mutating func forget(_ request: QMPRequest) {
        if request == statsRequest { statsRequest = nil }
    }

    private mutating func take(_ reply: QMPReply, to request: QMPRequest, now: Nanoseconds) {
        guard case .query(let query) = request.call else { return }
        var readAt = now
        if case .blockStats = query {
            // QEMU counted some time between the question and the answer.
            let roundTrip = now > request.askedAt ? now - request.askedAt : 0
            readAt = request.askedAt &+ roundTrip / 2
            // The first question waits behind all the others of the opening.
            if model.lastStats != nil { cadence.answered(after: roundTrip) }
            if isStale { recover(now: now) }
        }
        notices += model.take(reply, to: query, at: readAt)
        forget(request)
    }

    private mutating func becomeReady(_ version: QMPVersion, now: Nanoseconds) {
        // A socket of the same name may by now be another VM's.
        if process?.isGone == true {
            startAnew(now: now)
        }
        model.version = version
        if readySince == nil, ticks > 1 { note(.info, "QMP is connected", at: now) }
        readySince = now
        for query in Agenda.opening {
            if case .blockStats = query {
                if statsRequest == nil {
                    statsRequest = link?.ask(query, at: now, within: Self.answerLimit)
                }
            } else {
                ask(query, at: now)
            }
        }
    }

    private mutating func recover(now: Nanoseconds) {
        isStale = false
        note(.info, "QMP answers again", at: now)
    }

    /// The connection is gone; the process may live on, and then its threads are still shown.
    mutating func loseConnection(now: Nanoseconds) {
        readySince = nil
        statsRequest = nil
        isStale = false
        model.loseConnection()
        if process?.isGone != true {
            note(.warning, "QMP is lost: \(link?.problem ?? "the connection ended")", at: now)
        }
    }

    /// The VM is another one than before: nothing counted so far can be compared.
    mutating func startAnew(now: Nanoseconds) {
        model = VMModel()
        process = nil
        cadence = Cadence(wanted: cadence.wanted)
        histograms = HistogramKeeper(isOn: histograms.isOn)
        regular = RegularQuestions()
        statsRequest = nil
        isStale = false
        toldOfEnd = false
    }
}
