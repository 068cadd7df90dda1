import Foundation
import Kernel
import Telemetry
import Testing

@testable import Attach

/// A guest's agent of the test's own making, at the end of a socket as QEMU makes it.
final class FakeAgent {
    let server: ScriptedServer
    /// What it says to commands besides those about files: the value returned, as JSON.
    var answers = [
        "guest-get-osinfo":
            #"{"id": "debian", "kernel-release": "6.1.0-18-amd64", "machine": "x86_64"}"#,
        "guest-fsfreeze-status": #""thawed""#,
        "guest-get-diskstats": FakeAgent.diskStats(requests: 100),
        "guest-get-fsinfo": #"[{"mountpoint": "/mnt/a b", "type": "xfs"}, {"type": "ext4"}]"#,
    ]
    /// Texts of the files it lets one read, by path.
    var files: [String: String] = [:]
    /// Commands that its settings forbid.
    var forbidden: Set<String> = []
    /// Commands that it was never taught.
    var unknown: Set<String> = []
    /// All that was asked since this was emptied; of files, the paths that were opened.
    var heard: [String] = []
    /// Bytes of a file that one reading gives at most.
    var chunk = Int.max
    /// Files that are open, by handle, and how far they were read.
    private var places: [Int: Int] = [:]
    /// Files that are open, by handle.
    private(set) var open: [Int: String] = [:]
    private var nextHandle = 1000

    init() throws {
        server = try ScriptedServer()
        let clocksource = "/sys/devices/system/clocksource/clocksource0/"
        files = [
            clocksource + "current_clocksource": "tsc\n",
            clocksource + "available_clocksource": "tsc kvm-clock \n",
            "/proc/cmdline": "root=/dev/vda1 quiet\n",
            "/proc/sys/kernel/task_delayacct": "1\n",
            "/proc/cpuinfo": String(repeating: "processor : 0\nflags : fpu x2apic\n", count: 900),
            "/proc/mounts": "/dev/vda1 / ext4 rw,discard 0 0\n",
            "/proc/diskstats": "254 0 vda 7 0 0 0 0 0 0 0 0 0 0\n",
            "/sys/block/vda/queue/scheduler": "[none] mq-deadline\n",
            "/sys/block/vda/queue/add_random": "0\n",
            "/sys/block/vda/queue/rotational": "1\n",
            "/sys/class/block/vda1/start": "2048\n",
        ]
        for queue in 0..<3 { files["/sys/block/vda/mq/\(queue)/nr_tags"] = "64\n" }
        count(interrupts: 10)
    }

    /// `guest-get-diskstats` of a disk and its partition.
    static func diskStats(requests: Int) -> String {
        let partition = #"{"name": "vda1", "stats": {"read-ios": 5, "write-ios": 5}}"#
        return #"[{"name": "vda", "stats": {"read-ios": \#(requests), "write-ios": 0}},"#
            + partition + "]"
    }

    func count(interrupts: Int) {
        files["/proc/interrupts"] =
            "  CPU0 CPU1\n 25: \(interrupts) 3 PCI-MSI 1-edge   virtio1-req.0\n"
    }

    /// Lets `guest` have its next round from `now` on, and says how it stands then. Every step is a
    /// millisecond later than the one before.
    @discardableResult
    func serve(_ guest: inout GuestFacts, at now: Nanoseconds) throws -> AgentLink.State {
        guest.step(now: now)
        try server.accept()
        var time = now
        while let request = try server.hear() {
            for line in request.split(separator: "\n") { answer(String(line)) }
            time += 1_000_000
            guest.step(now: time)
        }
        server.hangUp()
        return guest.link.state
    }

    /// Says what there is to say to a line that was heard.
    func answer(_ request: String) {
        guard let command = request.firstMatch(of: /"execute":"([^"]+)"/)?.output.1 else { return }
        let number = request.firstMatch(of: /"(?:id|handle)":(-?\d+)/).flatMap { Int($0.output.1) }
        if command == "guest-sync-delimited" {
            let answer = [0xFF] + Array("{\"return\": \(number ?? 0)}\n".utf8)
            #expect(server.send(answer[...]) == answer.count)
            return
        }
        let path = request.firstMatch(of: /"path":"([^"]+)"/).map { String($0.output.1) }
        if let path {
            heard.append(path)
        } else if !command.hasPrefix("guest-file") {
            heard.append(String(command))
        }
        server.say(reply(to: String(command), path: path, number: number))
    }

    private func reply(to command: String, path: String?, number: Int?) -> String {
        func error(_ text: String) -> String {
            #"{"error": {"class": "GenericError", "desc": "\#(text)"}}"#
        }
        if forbidden.contains(command) { return error("Command \(command) has been disabled") }
        switch command {
        case "guest-info":
            let names = [
                "guest-info", "guest-file-open", "guest-file-read", "guest-file-close",
            ]
            let commands = (names + answers.keys).filter { !unknown.contains($0) }.map {
                #"{"name": "\#($0)", "enabled": \#(!forbidden.contains($0))}"#
            }
            let list = commands.joined(separator: ",")
            return #"{"return": {"version": "7.2", "supported_commands": [\#(list)]}}"#
        case "guest-file-open":
            guard let path, files[path] != nil else {
                return error("failed to open file '\(path ?? "")': No such file or directory")
            }
            nextHandle += 1
            open[nextHandle] = path
            return #"{"return": \#(nextHandle)}"#
        case "guest-file-read":
            guard let number, let file = open[number].flatMap({ files[$0] }) else {
                return error("handle '\(number ?? 0)' has not been found")
            }
            let rest = Data(file.utf8.dropFirst(places[number] ?? 0))
            let text = rest.prefix(chunk)
            places[number, default: 0] += text.count
            return #"{"return": {"count": \#(text.count), "buf-b64": "#
                + #""\#(text.base64EncodedString())", "eof": \#(text.count == rest.count)}}"#
        case "guest-file-close":
            number.map { open[$0] = nil }
            return #"{"return": {}}"#
        default: return #"{"return": \#(answers[command] ?? "null")}"#
        }
    }
}
