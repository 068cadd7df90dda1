import ArgumentParser
import FoundationEssentials
import Kernel
import Recording
import SystemPackage
import Telemetry
import Terminal

/// The forms in which samples are printed.
enum BatchFormat { case table, json }

/// Prints a sample per interval until the count is reached, a signal comes, or nobody reads any
/// more.
///
/// The first reading is not printed: rates need two.
func runBatch(
    _ format: BatchFormat, _ choice: SourceChoice, _ setup: RecordingSetup?,
    _ output: OutputOptions
) throws {
    let signals = try SignalDescriptor(ScreenLoop.signals)
    var source = try choice.open(
        ownThreads: [PThread.currentID], interval: output.interval)
    defer { for line in source.finish() { printError(line) } }
    // It is not printed, as rates need two; what happened by then is told with the next.
    let first = source.sample()
    var notices = first.notices
    let recorder = try setup?.recorder(of: source, first.source)
    defer {
        recorder?.finish()
        if let recorder { tell(recorder.status) }
    }
    let interval = Nanoseconds((output.interval * 1e9).rounded())
    var deadline = Clock.monotonic()
    var remaining = output.iterations
    var isFirst = true
    while remaining != 0 {
        deadline = beat(after: deadline, interval: interval, now: Clock.monotonic())
        if let signal = rest(source: &source, until: deadline, signals) {
            throw ExitCode(128 + signal)
        }
        var sample = source.sample()
        recorder?.take(sample)
        sample.notices = notices + sample.notices
        notices = []
        do {
            let text = try format.text(of: sample, isFirst: isFirst)
            if let signal = try write(text, signals) {
                throw ExitCode(128 + signal)
            }
        } catch Errno.brokenPipe {
            return
        }
        isFirst = false
        remaining = remaining.map { $0 - 1 }
    }
}

/// Writes `text`, and returns the signal if one that ends the program comes before a reader who
/// does not read has taken all of it.
private func write(_ text: String, _ signals: borrowing SignalDescriptor) throws -> Int32? {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
        let ready = try waitForOutput(1, orInput: signals.rawDescriptor)
        if ready.isReadable, let signal = signals.next() {
            if ScreenLoop.endingSignals.contains(signal) { return signal }
            if signal == ScreenLoop.stopSignal { stopProcess() }
        }
        if ready.isWritable {
            // A pipe that is writable takes so many whole.
            let part = bytes.prefix(4096)
            bytes = bytes.dropFirst(try FileDescriptor.standardOutput.writeAll(part))
        }
    }
    return nil
}

/// Writes a line to standard error.
func printError(_ line: String) {
    _ = try? FileDescriptor.standardError.writeAll(("vblktop: " + line + "\n").utf8)
}

/// Waits for the deadline, and returns the signal if one that ends the program comes first.
func rest(
    source: inout any SampleSource, until deadline: Nanoseconds,
    _ signals: borrowing SignalDescriptor
) -> Int32? {
    while Clock.monotonic() < deadline {
        source.rest(until: deadline, wake: signals.rawDescriptor)
        if let signal = signals.next() {
            if ScreenLoop.endingSignals.contains(signal) { return signal }
            if signal == ScreenLoop.stopSignal { stopProcess() }
        }
    }
    return nil
}

extension BatchFormat {
    func text(of snapshot: Snapshot, isFirst: Bool) throws -> String {
        switch self {
        case .table: return BatchTable.text(of: snapshot, isFirst: isFirst)
        case .json:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(snapshot), as: UTF8.self) + "\n"
        }
    }
}
