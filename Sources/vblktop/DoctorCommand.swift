import ArgumentParser
import Attach
import Demo
import Doctor
import Kernel
import Recording
import Telemetry
import Terminal

/// `vblktop doctor`: what is wrong, what it costs, and what to type.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what is misconfigured, with evidence, effect and the exact fix.",
        discussion: """
            Settings are judged at once; rules about load need --watch 10, those about trends \
            --watch 60. A recording is judged as a whole. What cannot be checked is listed with \
            the reason, and never counts as healthy.

            Exit codes: 0 done; 1 could not do the job; 2 findings at or above --fail-on; 64 wrong \
            usage; 130 interrupted.
            """)

    @OptionGroup(title: "Live VMs") var attach: AttachOptions
    @Flag(help: "Examine the embedded data-plane engine.") var demo = false
    @Option(
        help: ArgumentHelp("Examine this recording. May be repeated.", valueName: "file"))
    var replay: [String] = []

    @Flag(help: "Examine the guest that vblktop runs in, from inside.")
    var guest = false

    @Option(
        help: ArgumentHelp(
            "Judge a libvirt domain before it is started; - is standard input.", valueName: "file"))
    var xml: String?

    @Option(
        help: ArgumentHelp(
            "Judge a QEMU command line before it is started.", valueName: "'qemu-system-… …'"))
    var cmdline: String?

    @Option(help: "Watch for so many seconds first, 0…86400.")
    var watch = 0.0

    @OptionGroup(title: "Output") var output: DoctorOutputOptions
    @OptionGroup(title: "Rules") var selection: RuleSelection
    @OptionGroup(title: "Configuration") var configuration: ConfigurationOptions
    @OptionGroup(title: "Demo") var engine: DemoOptions

    func validate() throws {
        guard !output.rules else { return }
        let given = [
            attach.isGiven, demo, !replay.isEmpty, guest, xml != nil, cmdline != nil,
        ].count { $0 }
        guard given == 1 else {
            throw ValidationError(
                given == 0
                    ? "say whom to examine: --qmp SOCKET, --pid PID, --demo, --replay FILE, "
                        + "--guest, --xml FILE or --cmdline TEXT"
                    : "examine one thing at a time: --qmp and --pid, or one of --demo, --replay, "
                        + "--guest, --xml and --cmdline")
        }
        guard (0...86_400).contains(watch) else {
            throw ValidationError("--watch must be 0…86400 seconds")
        }
        guard watch == 0 || attach.isGiven || demo || guest else {
            throw ValidationError("--watch is for what is live: nothing else changes")
        }
    }

    func run() throws {
        Process.raiseOpenFileLimit()
        Process.ignoreWriteSignals()
        do {
            if output.rules { return try selection.explain(asJSON: output.json) }
            let report = try examine()
            try output.print(report)
            try output.judge(report)
        } catch let code as ExitCode {
            throw code
        } catch {
            throw Failure(error)
        }
    }

    private func examine() throws -> DoctorReport {
        if !replay.isEmpty { return try examineRecording() }
        if guest { return try examineInside() }
        if let xml { return try examineConfiguration(try readDomain(xml), file: xml) }
        if let cmdline {
            return try examineConfiguration(try ConfiguredVM(commandLine: cmdline), file: nil)
        }
        return try examineLive()
    }

    /// A VM that does not run yet.
    private func examineConfiguration(_ vm: ConfiguredVM, file: String?) throws -> DoctorReport {
        var doctor = try newDoctor()
        let sample = vm.sample(wallClock: Clock.wall())
        return DoctorReport(
            patient: DoctorReport.patient(of: sample) + ", not started",
            wallClock: sample.wallClock, watched: 0, examination: doctor.examine(sample),
            facts: output.facts ? sample.facts : nil, file: file == "-" ? nil : file)
    }

    private func readDomain(_ path: String) throws -> ConfiguredVM {
        let bytes = try readWholeFile(path == "-" ? "/dev/stdin" : path, limit: 4 << 20)
        do { return try ConfiguredVM(domain: bytes) } catch {
            throw Failure("\(path): \(error)".harmless())
        }
    }

    private func examineInside() throws -> DoctorReport {
        var report = try watchLive(
            InsideSource(), by: try newDoctor { $0.scope == .guest || $0.scope == .guestDisk })
        report.patient = "this guest, from inside"
        return report
    }

    private func newDoctor(_ keeps: (Rule) -> Bool = { _ in true }) throws -> Doctor {
        Doctor(
            rules: try selection.rules().filter(keeps),
            silences: try configuration.preferences().silences)
    }

    private func examineLive() throws -> DoctorReport {
        var vms = try attach.configuration()
        vms.isInHaste = true
        let choice = SourceChoice(demo ? .demo(engine.configuration) : .attach(vms))
        let source = try choice.openBare(ownThreads: [PThread.currentID], interval: 1)
        return try watchLive(source, by: try newDoctor())
    }

    /// Examines `source` for as long as asked, at least until it has told what it is.
    private func watchLive(
        _ source: any SampleSource, by doctor: Doctor
    ) throws -> DoctorReport {
        let signals = try SignalDescriptor(ScreenLoop.signals)
        var (source, doctor) = (source, doctor)
        defer { for line in source.finish() { printError(line) } }
        source.enableTracepoints(watch > 0)
        let start = Clock.monotonic()
        let end = start &+ Nanoseconds(watch * 1e9)
        var sample = source.sample()
        var examination = doctor.examine(sample)
        var (deadline, quiet) = (start, 0)
        while deadline < end || quiet < Settling.quietSamples {
            deadline = beat(
                after: deadline, interval: Settling.interval(watch), now: Clock.monotonic())
            if let signal = rest(source: &source, until: deadline, signals) {
                throw ExitCode(128 + signal)
            }
            let before = sample.facts
            sample = source.sample()
            examination = doctor.examine(sample)
            // Once it has settled it has: what is measured over seconds is news later on.
            guard quiet < Settling.quietSamples else { continue }
            if sample.facts.knowsMore(than: before) {
                quiet = 0
            } else if !source.isLearning {
                quiet += 1
            }
            if deadline > start &+ Settling.limit, deadline >= end { break }
        }
        return DoctorReport(
            patient: DoctorReport.patient(of: sample), wallClock: sample.wallClock,
            watched: Double(sample.monotonic - start) / 1e9, examination: examination,
            facts: output.facts ? sample.facts : nil)
    }

    private func examineRecording() throws -> DoctorReport {
        let recording = try RecordedSession(paths: replay)
        var doctor = try newDoctor()
        var (first, last): (Snapshot?, Snapshot?)
        var examination: Examination?
        for index in 0..<recording.sampleCount {
            guard let sample = try recording.sample(index) else { continue }
            first = first ?? sample
            last = sample
            examination = doctor.examine(sample)
        }
        for line in recording.damage { printError(line) }
        guard let first, let last, let examination else {
            throw Failure("\(replay[0]): there are no samples in it to examine")
        }
        return DoctorReport(
            patient: DoctorReport.patient(of: last), wallClock: last.wallClock,
            watched: Double(last.monotonic - min(first.monotonic, last.monotonic)) / 1e9,
            examination: examination, facts: output.facts ? last.facts : nil)
    }
}

/// When a VM has told what it is, which it is asked a few questions at a time.
private enum Settling {
    /// Samples without a new fact after which no more are expected.
    static let quietSamples = 3
    /// Nanoseconds after which one run goes on without the rest.
    static let limit: Nanoseconds = 20_000_000_000

    /// One run is over soon; whoever watches does so at the usual pace.
    static func interval(_ seconds: Double) -> Nanoseconds {
        seconds > 0 ? 1_000_000_000 : 250_000_000
    }
}
