import ArgumentParser
import Demo
import FoundationEssentials
import Kernel
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
    _ format: BatchFormat, _ configuration: DemoConfiguration, _ output: OutputOptions
) throws {
    let signals = try SignalDescriptor(ScreenLoop.signals)
    var source = try DemoSource(configuration, ownThreads: [PThread.currentID])
    defer { source.stop() }
    _ = source.sample()
    let timer = try PeriodicTimer(every: .milliseconds(Int64((output.interval * 1000).rounded())))
    var remaining = output.iterations
    var isFirst = true
    while remaining != 0 {
        if let signal = try waitForTick(timer, signals) {
            throw ExitCode(signal == 2 ? 130 : 128 + signal)
        }
        let text = try format.text(of: source.sample(), isFirst: isFirst)
        do {
            try FileDescriptor.standardOutput.writeAll(text.utf8)
        } catch Errno.brokenPipe {
            return
        }
        isFirst = false
        remaining = remaining.map { $0 - 1 }
    }
}

/// Waits for the timer, and returns the signal if one that ends the program comes first.
private func waitForTick(
    _ timer: borrowing PeriodicTimer, _ signals: borrowing SignalDescriptor
) throws -> Int32? {
    while true {
        let ready = try waitForInput([signals.rawDescriptor, timer.rawDescriptor])
        if ready[0].isReadable, let signal = signals.next() {
            if ScreenLoop.endingSignals.contains(signal) { return signal }
            if signal == ScreenLoop.stopSignal { stopProcess() }
        }
        if ready[1].isReadable, timer.take() > 0 { return nil }
    }
}

extension BatchFormat {
    fileprivate func text(of snapshot: Snapshot, isFirst: Bool) throws -> String {
        switch self {
        case .table: return BatchTable.text(of: snapshot, isFirst: isFirst)
        case .json:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(snapshot), as: UTF8.self) + "\n"
        }
    }
}
