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
            case .query(let query):
                model.takeRefusal(of: query, kind: kind, saying: description)
                rings.takeRefusal(of: query, kind: kind, saying: clean(description), at: now)
                if case .monitorText(let line) = query {
                    lockProfile.takeRefusal(of: line, saying: clean(description))
                }
            case .change(.setLatencyHistograms(let disk, _)):
                histograms.takeRefusal(of: disk)
                note(.warning, "no histograms for \(clean(disk)): \(clean(description))", at: now)
            // A disk that is gone took its histograms along.
            case .change(.removeLatencyHistograms(let disk)): histograms.forget(disk)
            case .change(.profileLocks(let isOn)):
                lockProfile.takeRefusal(ofSwitching: isOn, saying: clean(description))
                if isOn {
                    note(.warning, "no profile of locks: \(clean(description))", at: now)
                }
            }
        case .unreadable(let request):
            forget(request)
            if case .query(let query) = request.call { rings.gaveUp(query) }
            if case .query(.monitorText(let line)) = request.call {
                lockProfile.takeUnreadable(line)
            }
        case .late(let request):
            if request == statsRequest { cadence.missed() }
            effort.gaveUp()
            if case .query(let query) = request.call { rings.gaveUp(query) }
            forget(request)
        case .event(let event):
            rings.take(event)
            for notice in model.take(event, at: now) { add(notice) }
        case .failed: break
        }
    }

    private mutating func forget(_ request: QMPRequest) {
        if request == statsRequest { statsRequest = nil }
    }

    private mutating func take(_ reply: QMPReply, to request: QMPRequest, now: Nanoseconds) {
        guard case .query(let query) = request.call else {
            takeChange(request.call)
            return
        }
        if case .blockStats = query {
            // One that was given up may still come, together with its successor.
            guard request == statsRequest else { return }
            let roundTrip = now > request.askedAt ? now - request.askedAt : 0
            // The first question waits behind all the others of the opening.
            if model.lastStats != nil { cadence.answered(after: roundTrip) }
            if isStale { recover(now: now) }
        }
        takeLocks(reply, now: now)
        rings.take(reply, to: query, blocks: model.machine.ramBlocks ?? [], at: now)
        // QEMU counts right before it answers: a main loop that hangs does so before it reads.
        for notice in model.take(reply, to: query, at: now) { add(notice) }
        forget(request)
    }

    /// QEMU has changed what it was told to.
    private mutating func takeChange(_ call: QMPRequest.Call) {
        switch call {
        case .change(.removeLatencyHistograms(let disk)): histograms.forget(disk)
        case .change(.profileLocks(false)): lockProfile.forget()
        case .change(.setLatencyHistograms), .change(.profileLocks(true)), .query: break
        }
    }

    private mutating func takeLocks(_ reply: QMPReply, now: Nanoseconds) {
        switch reply {
        case .lockProfileState(let isOn):
            if let change = lockProfile.take(isOn: isOn) {
                _ = link?.change(change, at: now, within: Self.answerLimit)
            }
        case .lockProfile(let profile):
            lockProfile.take(profile, vcpus: model.vcpuCount, at: now)
        default: break
        }
    }

    private mutating func becomeReady(_ version: QMPVersion, now: Nanoseconds) {
        guard isThisVM(now: now) else { return }
        model.version = version
        if readySince == nil, ticks > 1 { note(.info, "QMP is connected", at: now) }
        readySince = now
        rings.forgetEverything()
        for query in Agenda.opening {
            if case .blockStats = query {
                if statsRequest == nil { askForCounters(at: now) }
            } else {
                ask(query, at: now)
            }
        }
    }

    /// Whether the VM that answers is the one that is watched.
    private mutating func isThisVM(now: Nanoseconds) -> Bool {
        // A socket of the same name may by now be another VM's, since the last sample even.
        process?.look()
        if case .process(let pid) = target {
            let isOther = link?.peerPID.map { $0 != pid && isProcessOfVM($0) } ?? false
            guard isOther || process?.isGone == true else { return true }
            link?.close()
            note(.warning, "the QMP socket is another VM's: it is left alone", at: now)
            return false
        }
        if process?.isGone == true { startAnew(now: now) }
        return true
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
        effort.gaveUp()
        model.loseConnection()
        rings.loseConnection()
        lockProfile.loseConnection()
        // Without a process to tell by, what answers next may be another VM.
        if process == nil { model.forgetCounters() }
        if process?.isGone != true {
            note(.warning, "QMP is lost: \(link?.problem ?? "the connection ended")", at: now)
        }
    }

    /// The VM is another one than before: nothing counted so far can be compared.
    mutating func startAnew(now: Nanoseconds) {
        model = VMModel()
        process = nil
        probedGeneration = nil
        cadence = Cadence(wanted: cadence.wanted)
        histograms = HistogramKeeper(isOn: histograms.isOn)
        lockProfile = LockProfileKeeper(isWanted: lockProfile.isWanted)
        regular = RegularQuestions()
        rings.forgetEverything()
        guest?.startAnew()
        effort = effort.anew()
        rounds = rounds.anew()
        statsRequest = nil
        isStale = false
        toldOfEnd = false
    }
}

extension QMPOutcome {
    /// Whether a call was answered, however.
    var isAnswer: Bool {
        switch self {
        case .reply, .refused, .unreadable: true
        case .ready, .event, .late, .failed: false
        }
    }
}
