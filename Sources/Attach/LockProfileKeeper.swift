import QMP
import Telemetry

/// Has QEMU profile its locks, where the user asked for it, and takes it back at the end; says what
/// share of their time the vCPUs wait for the big lock.
///
/// A profile that was on before is somebody else's: it is read, and stays on.
struct LockProfileKeeper: Sendable {
    /// Between two readings, nanoseconds.
    static let pause: Nanoseconds = 10_000_000_000

    private enum Stage: Sendable, Equatable {
        /// Nobody has asked yet whether it is on.
        case unasked
        case asked
        case on
        /// It is off, or not to be had, and stays so.
        case over(reason: String)
    }

    /// Waits for the big lock in code of vCPUs, up to a time.
    private struct Reading: Sendable {
        let at: Nanoseconds
        /// Seconds.
        let waited: Double
        /// How often it was taken there.
        let count: UInt64
    }

    let isWanted: Bool
    /// Whether it is on because of us, as far as is known.
    private(set) var isOurs = false
    private var stage = Stage.unasked
    private var askedAt: Nanoseconds?
    private var last: Reading?
    /// Percent of the vCPUs' time between the last two readings; else why there is none.
    private(set) var share: Result<Double, NoShare> = .failure(.notMeasuredYet)
    private var isEnding = false

    struct NoShare: Error, Equatable {
        let reason: String
        static let notMeasuredYet = NoShare(reason: "it is measured over ten seconds")
    }

    init(isWanted: Bool) { self.isWanted = isWanted }

    // MARK: Asking

    /// What to ask at `now`: first whether it is on, then every ten seconds what it says, and
    /// whether it still is.
    mutating func due(at now: Nanoseconds) -> [HarmlessText] {
        guard isWanted else { return [] }
        switch stage {
        case .unasked:
            stage = .asked
            return [.lockProfileState]
        case .asked, .over: return []
        case .on:
            if let askedAt, now < askedAt &+ Self.pause { return [] }
            askedAt = now
            return [.lockProfile, .lockProfileState]
        }
    }

    /// Takes note of whether it is on, and returns the change to ask for.
    mutating func take(isOn: Bool) -> QMPChange? {
        switch stage {
        case .asked where isOn: stage = .on
        case .asked where !isEnding:
            stage = .on
            isOurs = true
            return .profileLocks(true)
        case .on where !isOn:
            isOurs = false
            end("somebody switched sync-profile off")
        default: break
        }
        return nil
    }

    /// QEMU said what nobody understands, as one does that knows no such command.
    mutating func takeUnreadable(_ line: HarmlessText) {
        let reason =
            stage == .asked
            ? "this QEMU cannot profile its locks: 3.1 and later do"
            : "what QEMU says of its locks is no table"
        takeRefusal(of: line, saying: reason)
    }

    /// QEMU refused to say it.
    mutating func takeRefusal(of line: HarmlessText, saying reason: String) {
        switch (line, stage) {
        case (.lockProfileState, .asked): end(reason)
        case (.lockProfile, .on): forget(reason)
        default: break
        }
    }

    /// QEMU refused to switch it on or off. What it does not end stays ours.
    mutating func takeRefusal(ofSwitching isOn: Bool, saying reason: String) {
        if isOn { isOurs = false }
        end(reason)
    }

    /// The connection is gone. Whoever answers next may have switched it off, or be another VM.
    mutating func loseConnection() {
        forget(NoShare.notMeasuredYet.reason)
        askedAt = nil
        if stage == .asked || stage == .on { stage = .unasked }
    }

    private mutating func end(_ reason: String) {
        stage = .over(reason: reason)
        forget(reason)
    }

    private mutating func forget(_ reason: String) {
        last = nil
        share = .failure(NoShare(reason: reason))
    }

    // MARK: Undoing

    /// What undoes what was done, `nil` if nothing was, or QEMU has refused that. Nothing more is
    /// switched on.
    mutating func undo() -> QMPChange? {
        isEnding = true
        return isUndoing ? .profileLocks(false) : nil
    }

    /// Whether there is something to undo, and a point in trying.
    var isUndoing: Bool {
        if case .over = stage { return false }
        return isOurs
    }

    /// QEMU has switched it off.
    mutating func forget() { isOurs = false }

    // MARK: Reading

    /// Takes what QEMU says of its locks at `now`.
    mutating func take(_ profile: QMPLockProfile, vcpus: Int?, at now: Nanoseconds) {
        guard stage == .on else { return }
        let bigLock = profile.sites.filter { $0.kind == "BQL mutex" }
        // The main loop takes it all the time: a table without it is another table.
        guard !bigLock.isEmpty else {
            return forget("info sync-profile names no waits for the big lock")
        }
        let sites = bigLock.filter(\.isOfVCPUs)
        let reading = Reading(
            at: now, waited: sites.reduce(0) { $0 + $1.waited },
            count: sites.reduce(0) { $0 &+ $1.count })
        defer { last = reading }
        guard let before = last, let interval = RateInterval(from: before.at, to: now) else {
            return
        }
        guard let vcpus, vcpus > 0 else {
            share = .failure(NoShare(reason: "QEMU has not said how many vCPUs there are"))
            return
        }
        guard reading.waited >= before.waited, reading.count >= before.count else {
            share = .failure(NoShare(reason: "somebody has set sync-profile back"))
            return
        }
        let percent = (reading.waited - before.waited) / interval.seconds / Double(vcpus) * 100
        share = .success(min(100, (percent * 10).rounded() / 10))
    }

    /// The share as a fact, `nil` where nobody wants it.
    func fact(isConnected: Bool) -> Fact? {
        guard isWanted else { return nil }
        let source = "info sync-profile"
        guard isConnected else {
            return Fact(
                Subject(.vm), .lockProfile, missing: "QMP is not connected", from: source)
        }
        switch share {
        case .success(let percent):
            return Fact(Subject(.vm), .lockProfile, .number(percent), from: source)
        case .failure(let no):
            return Fact(Subject(.vm), .lockProfile, missing: no.reason, from: source)
        }
    }
}

extension QMPLockProfile.Site {
    /// Whether it is code that vCPU threads run, as far as its file tells: the accelerators' loops,
    /// what they call for the guest's CPU, and access to devices. The main loop's, migration's and
    /// RCU's are not; those in device models may be anybody's, and are left out.
    fileprivate var isOfVCPUs: Bool {
        let path = place.split(separator: ":").first ?? ""
        let parts = path.split(separator: "/")
        let files: Set<Substring> = [
            "cpus.c", "cpus-common.c", "cpu-common.c", "physmem.c", "exec.c",
        ]
        return parts.dropLast().contains { $0 == "accel" || $0 == "target" }
            || parts.last.map(files.contains) == true
    }
}
