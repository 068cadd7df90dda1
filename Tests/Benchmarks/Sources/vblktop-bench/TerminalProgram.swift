import CBench
import Foundation
import Glibc

/// A program on a pseudo-terminal that we read as fast as it writes.
struct TerminalProgram {
    let process: pid_t
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

extension TerminalProgram {
    /// The first frame of a program that shows LUNs.
    struct FirstFrame {
        /// From exec to the arrival of its last row of a LUN.
        var milliseconds: Double
        var rows: Int
    }

    /// Waits for the first frame with LUNs; nil if there is none in ten seconds.
    ///
    /// A row is known by its LUN's name, which is `names` and a number. The frame is over once
    /// nothing more has come for a quarter of a second.
    static func timeToFullFrame(_ command: [String], names: String) -> FirstFrame? {
        let begin = cb_now()
        guard let terminal = TerminalProgram(command) else { return nil }
        defer { terminal.end() }
        var (text, rows, lastRow) = (PlainText(), 0, UInt64(0))
        while cb_now() - begin < 10_000_000_000 {
            let count = terminal.read(timeout: rows > 0 ? 250 : 1000) { text.append($0) }
            if count < 0 || (count == 0 && rows > 0) { break }
            let found = text.names(after: names).count
            if found > rows { (rows, lastRow) = (found, cb_now()) }
        }
        return rows > 0
            ? FirstFrame(milliseconds: Double(lastRow - begin) / 1e6, rows: rows) : nil
    }

    /// What a program costs while it shows itself.
    struct Cost {
        var cpuPercent = 0.0
        var bytesPerSecond = 0.0
        var wakeupsPerSecond = 0.0
        /// At the end of the watch, and how much more than at its beginning, MB.
        var resident = 0.0
        var growth = 0.0
    }

    /// The cost of a program over `seconds` after `warmUp`; nil if it ended by itself.
    static func cost(of command: [String], seconds: Double, warmUp: Double = 3) -> Cost? {
        guard let terminal = TerminalProgram(command) else { return nil }
        defer { terminal.end() }
        guard terminal.drain(seconds: warmUp) >= 0 else { return nil }
        let (before, residentBefore) = (terminal.effort(), terminal.residentMegabytes)
        let begin = cb_now()
        let bytes = terminal.drain(seconds: seconds)
        let elapsed = Double(cb_now() - begin) / 1e9
        guard bytes >= 0 else { return nil }
        let (after, residentAfter) = (terminal.effort(), terminal.residentMegabytes)
        return Cost(
            cpuPercent: Double(after.cpu &- before.cpu) / elapsed / 1e7,
            bytesPerSecond: Double(bytes) / elapsed,
            wakeupsPerSecond: Double(after.wakeups &- before.wakeups) / elapsed,
            resident: residentAfter, growth: residentAfter - residentBefore)
    }

    /// Its resident memory, MB of 10⁶ bytes (/proc/PID/statm, second column).
    var residentMegabytes: Double {
        let text = (try? String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8)) ?? ""
        let fields = text.split(separator: " ")
        let pages = fields.count > 1 ? Double(fields[1]) : nil
        return (pages ?? .nan) * Double(sysconf(Int32(_SC_PAGESIZE))) / 1e6
    }
}

/// The text a program has written, without its escape sequences.
struct PlainText {
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

    /// The distinct words in it that are `prefix` and a number: names of LUNs.
    func names(after prefix: String) -> Set<Substring> {
        let words = String(decoding: bytes, as: UTF8.self).split {
            !($0.isASCII && ($0.isLetter || $0.isNumber))
        }
        return Set(
            words.filter {
                $0.hasPrefix(prefix) && $0.count > prefix.count
                    && $0.dropFirst(prefix.count).allSatisfy(\.isNumber)
            })
    }
}
