import CBench
import Foundation
import Glibc

/// The program itself on a pseudo-terminal of 200x50.
enum ScreenBenchmark {
    static func run(_ options: Options, _ report: inout Report) {
        guard let program = findProgram(options.program) else {
            report.add(
                .skipped(
                    "the screen",
                    "\(options.program) is missing; build it with `swift build -c release`"))
            return
        }
        let command = [program, "--demo", "--luns", "56"]
        var first = Readings()
        for _ in 0..<options.rounds {
            if let time = timeToFullFrame(command) { first.add(time) }
        }
        report.add(
            Figure(
                "first full frame, --demo --luns 56", first.median, "ms", spread: first,
                bar: .atMost(300),
                note: first.values.isEmpty ? "no row of a LUN was ever drawn" : nil))
        watch(command, options, &report)
    }

    /// Milliseconds from exec to the arrival of the last LUN row of the first frame; nil without
    /// one.
    ///
    /// A row is known by its LUN's name. The first frame is over once nothing more has come for a
    /// quarter of a second.
    private static func timeToFullFrame(_ command: [String]) -> Double? {
        let begin = cb_now()
        guard let terminal = TerminalProgram(command) else { return nil }
        defer { terminal.end() }
        var (text, rows, lastRow) = (PlainText(), 0, UInt64(0))
        while cb_now() - begin < 10_000_000_000 {
            let count = terminal.read(timeout: rows > 0 ? 250 : 1000) { text.append($0) }
            if count < 0 || (count == 0 && rows > 0) { break }
            let found = text.lunNames.count
            if found > rows { (rows, lastRow) = (found, cb_now()) }
        }
        return rows > 0 ? Double(lastRow - begin) / 1e6 : nil
    }

    /// What showing costs, beside two monitors people know, one after the other.
    private static func watch(_ command: [String], _ options: Options, _ report: inout Report) {
        guard let ours = cost(of: command, options) else {
            report.add(.skipped("the screen's own cost", "the program ended by itself"))
            return
        }
        let bars: [(String, KeyPath<Cost, Double>, String, Double)] = [
            ("screen at 1 Hz, CPU", \.cpuPercent, "%", 0.5),
            ("screen at 1 Hz, to the terminal", \.bytesPerSecond, "B/s", 8192),
            ("screen at 1 Hz, wake-ups", \.wakeupsPerSecond, "/s", 4),
        ]
        for (name, key, unit, limit) in bars {
            report.add(
                Figure(
                    name, ours[keyPath: key], unit, bar: .atMost(limit),
                    note: "threads of the engine (vcpuN, io …) not counted"))
        }
        for peer in [["htop", "-d", "10"], ["iostat", "-x", "1"]] {
            let name = peer.joined(separator: " ")
            guard let path = findProgram(peer[0]), let cost = cost(of: [path] + peer[1...], options)
            else {
                report.add(.skipped("peer: \(name)", "not installed"))
                continue
            }
            for (what, key, unit, _) in bars {
                let label = what.replacingOccurrences(of: "screen at 1 Hz", with: name)
                report.add(
                    Figure(
                        "peer: \(label)", cost[keyPath: key], unit, peer: "vblktop",
                        peerValue: ours[keyPath: key]))
            }
        }
    }

    private struct Cost {
        var cpuPercent = 0.0
        var bytesPerSecond = 0.0
        var wakeupsPerSecond = 0.0
    }

    /// The cost of a program between the third second and the end of the watch.
    private static func cost(of command: [String], _ options: Options) -> Cost? {
        guard let terminal = TerminalProgram(command) else { return nil }
        defer { terminal.end() }
        guard terminal.drain(seconds: 3) >= 0 else { return nil }
        let before = terminal.effort()
        let begin = cb_now()
        let bytes = terminal.drain(seconds: options.watchSeconds)
        let seconds = Double(cb_now() - begin) / 1e9
        guard bytes >= 0 else { return nil }
        let after = terminal.effort()
        return Cost(
            cpuPercent: Double(after.cpu &- before.cpu) / seconds / 1e7,
            bytesPerSecond: Double(bytes) / seconds,
            wakeupsPerSecond: Double(after.wakeups &- before.wakeups) / seconds)
    }
}

/// A program on a pseudo-terminal that we read as fast as it writes.
private struct TerminalProgram {
    private let process: pid_t
    private let terminal: CInt

    /// Starts `command`, its first part a path.
    init?(_ command: [String], rows: CInt = 50, columns: CInt = 200) {
        var process: pid_t = 0
        terminal = cb_start_on_terminal(
            command.joined(separator: "\n"), rows, columns, &process)
        self.process = process
        if terminal < 0 { return nil }
    }

    func end() { _ = cb_end(process, terminal, 3000) }

    /// Waits up to `timeout` milliseconds and hands over what has come: how many bytes, −1 at the
    /// end.
    func read(timeout: CInt, _ body: (UnsafeRawBufferPointer) -> Void) -> Int {
        var request = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
        guard poll(&request, 1, timeout) > 0 else { return 0 }
        return withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 1) { buffer in
            let count = Glibc.read(terminal, buffer.baseAddress, buffer.count)
            guard count > 0 else { return count < 0 && errno == EAGAIN ? 0 : -1 }
            body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            return count
        }
    }

    /// Reads for `seconds`: bytes that came, or −1 if the program ended.
    func drain(seconds: Double) -> Int {
        let end = cb_now() + UInt64(seconds * 1e9)
        var bytes = 0
        while true {
            let now = cb_now()
            if now >= end { return bytes }
            let count = read(timeout: CInt((end - now) / 1_000_000 + 1)) { _ in }
            if count < 0 { return -1 }
            bytes += count
        }
    }

    /// CPU nanoseconds and voluntary switches of all its threads but an engine's.
    func effort() -> (cpu: UInt64, wakeups: UInt64) {
        let directory = "/proc/\(process)/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        var sum: (cpu: UInt64, wakeups: UInt64) = (0, 0)
        for thread in threads {
            func text(_ file: String) -> String {
                (try? String(contentsOfFile: "\(directory)/\(thread)/\(file)", encoding: .utf8))
                    ?? ""
            }
            let name = text("comm")
            if name.hasPrefix("vcpu") || name.hasPrefix("io ") { continue }
            sum.cpu += threadCPU(process: process, thread: Int(thread) ?? 0)
            let line = text("status").split(separator: "\n")
                .first { $0.hasPrefix("voluntary_ctxt_switches") }
            sum.wakeups += line?.split(separator: "\t").last.flatMap { UInt64($0) } ?? 0
        }
        return sum
    }
}

/// The text a program has written, without its escape sequences.
private struct PlainText {
    private enum State { case text, escape, control, string }
    private var state = State.text
    private var bytes: [UInt8] = []

    mutating func append(_ more: UnsafeRawBufferPointer) {
        for byte in more { append(byte) }
    }

    private mutating func append(_ byte: UInt8) {
        switch state {
        case .text:
            if byte == 0x1B { state = .escape } else { bytes.append(byte) }
        case .escape:
            switch byte {
            case UInt8(ascii: "["): state = .control
            case UInt8(ascii: "]"), UInt8(ascii: "P"): state = .string
            case UInt8(ascii: "("), UInt8(ascii: ")"): break
            default: state = .text
            }
            // What was left out may have moved the cursor: words do not run on across it.
            bytes.append(UInt8(ascii: " "))
        case .control: if (0x40...0x7E).contains(byte) { state = .text }
        case .string: if byte == 0x07 || byte == UInt8(ascii: "\\") { state = .text }
        }
    }

    /// The distinct names of the demo's LUNs in it: vd00, vd01, …
    var lunNames: Set<Substring> {
        let words = String(decoding: bytes, as: UTF8.self).split {
            !($0.isASCII && ($0.isLetter || $0.isNumber))
        }
        return Set(words.filter { $0.hasPrefix("vd") && $0.dropFirst(2).allSatisfy(\.isNumber) })
    }
}
