import CBench
import Foundation

/// What recording costs while it goes on, beside what people leave running for the same purpose.
enum RecordCost {
    private struct Watched {
        var name: String
        var command: [String]
        var file: String
        var cpu = Readings()
        /// Bytes of its file, MB an hour.
        var growth = Readings()
    }

    static func run(_ options: Options, _ report: inout Report) throws {
        guard let program = findProgram(options.program) else {
            report.add(.skipped("record-cost", "\(options.program) is missing"))
            return
        }
        let folder = try RecordingFolder(options)
        var watched = [
            Watched(
                name: "record --demo --luns 56",
                command: [program, "record", "--demo", "--luns", "56", "-o"], file: "ours.vbt")
        ]
        addPeers(&watched, &report)
        // A key, which is larger than the samples around it, comes once in 240 samples.
        let seconds = options.watchSeconds
        for round in 0..<(options.isQuick ? 1 : 3) {
            for index in watched.indices {
                let isLong = !options.isQuick && round == 0 && index == 0
                watch(
                    &watched[index], folder, isLong ? 240 : seconds,
                    isForSize: isLong || index > 0)
            }
        }
        tell(watched, isQuick: options.isQuick, &report)
    }

    private static func addPeers(_ watched: inout [Watched], _ report: inout Report) {
        let sadc = "/usr/lib/sysstat/sadc"
        if FileManager.default.isExecutableFile(atPath: sadc) {
            watched.append(
                Watched(name: "sadc -S DISK 1", command: [sadc, "-S", "DISK", "1"], file: "sa"))
        } else {
            report.add(.skipped("peer: sadc", "not installed"))
        }
        if let atop = findProgram("atop") {
            // atop wants its file before the interval.
            watched.append(Watched(name: "atop -w FILE 1", command: [atop, "-w"], file: "atop"))
        } else {
            report.add(.skipped("peer: atop", "not installed"))
        }
    }

    private static func watch(
        _ watched: inout Watched, _ folder: RecordingFolder, _ seconds: Double, isForSize: Bool
    ) {
        folder.remove(watched.file)
        var command = watched.command + [folder.file(watched.file)]
        if watched.file == "atop" { command.append("1") }
        guard let terminal = TerminalProgram(command) else { return }
        defer {
            terminal.end()
            folder.remove(watched.file)
        }
        // All that is looked up once is known by then.
        guard terminal.drain(seconds: 10) >= 0 else { return }
        let (before, bytesBefore, begin) = (
            terminal.effort(), folder.bytes(watched.file), cb_now()
        )
        guard terminal.drain(seconds: seconds) >= 0 else { return }
        let elapsed = Double(cb_now() - begin) / 1e9
        watched.cpu.add(Double(terminal.effort().cpu &- before.cpu) / elapsed / 1e7)
        guard isForSize else { return }
        let bytes = folder.bytes(watched.file) - bytesBefore
        watched.growth.add(Double(bytes) / elapsed * 3600 / 1e6)
    }

    private static func tell(_ watched: [Watched], isQuick: Bool, _ report: inout Report) {
        let ours = watched[0]
        report.add(
            Figure(
                "\(ours.name), CPU", ours.cpu.median, "%", spread: ours.cpu, bar: .atMost(0.25),
                note: "threads of the engine (vcpuN, io …) not counted"))
        if !isQuick {
            report.add(
                Figure(
                    "\(ours.name), growth", ours.growth.median, "MB/h",
                    note: "over 60 s, which have one key"))
        }
        for peer in watched.dropFirst() {
            report.add(
                Figure(
                    "peer: \(peer.name), CPU", peer.cpu.median, "%", peer: "vblktop",
                    peerValue: ours.cpu.median, spread: peer.cpu))
            report.add(
                Figure(
                    "peer: \(peer.name), growth", peer.growth.median, "MB/h",
                    peer: isQuick ? nil : "vblktop",
                    peerValue: isQuick ? nil : ours.growth.median, spread: peer.growth))
        }
    }
}
