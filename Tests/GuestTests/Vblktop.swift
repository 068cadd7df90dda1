import Foundation
import Glibc
import GuestHarness
import Testing

/// `vblktop --json` while it watches: its samples one by one, and what it told on the way.
final class Vblktop {
    private let program: RunningProgram
    /// All notices so far.
    private(set) var notices: [String] = []
    private(set) var samples: [JSONValue] = []

    /// Starts it with `--json` and these arguments.
    init(_ arguments: String..., command: [String] = [BuiltProgram.path]) throws {
        program = try RunningProgram(command + ["--json"] + arguments)
    }

    /// The next sample.
    @discardableResult
    func sample() throws -> JSONValue {
        let sample = try JSONValue.parse(try program.line())
        samples.append(sample)
        notices += sample["notices"]?.list.compactMap { $0["text"]?.text } ?? []
        return sample
    }

    /// The first of the coming samples that is as wanted; gives up after as many as none needs.
    @discardableResult
    func sample(
        _ what: String, within count: Int = 80, where isSo: (JSONValue) throws -> Bool
    ) throws -> JSONValue {
        for _ in 0..<count {
            let sample = try sample()
            if try isSo(sample) { return sample }
        }
        throw HarnessError(
            "no \(what) in \(count) samples; notices: \(notices); the last one: "
                + "\(samples.last.map { "\($0)" } ?? "none")")
    }

    /// Reads on until it told something that contains `text`.
    func notice(_ text: String, within count: Int = 80) throws {
        if notices.contains(where: { $0.contains(text) }) { return }
        try sample("notice '\(text)'", within: count) { _ in
            notices.contains { $0.contains(text) }
        }
    }

    var processID: Int32 { program.processID }

    func signal(_ number: Int32) { program.signal(number) }

    /// Waits for its own end.
    func ending() throws -> RunningProgram.Ending { try program.ending() }
}

extension JSONValue {
    subscript(index: Int) -> JSONValue? { list.indices.contains(index) ? list[index] : nil }

    /// The LUN of a sample with this id.
    func lun(_ id: String) -> JSONValue? { self["luns"]?.list.first { $0["id"]?.text == id } }

    var lunIDs: [String] { self["luns"]?.list.compactMap { $0["id"]?.text } ?? [] }

    /// How a source of a sample is doing.
    func source(_ name: String) -> JSONValue? {
        self["sources"]?.list.first { $0["name"]?.text == name }
    }

    /// The state of the connection and of the VM.
    var qmpState: String? { source("qmp")?["state"]?.text }
    var vmStatus: String? { self["vm"]?["status"]?.text }

    func threads(_ role: String) -> [JSONValue] {
        self["threads"]?.list.filter { $0["role"]?.text == role } ?? []
    }
}

extension TestGuest {
    /// A machine that waits for `cont`: QEMU is there, nothing runs in it.
    static func paused<Result>(
        _ machine: GuestMachine, _ body: (TestGuest) throws -> Result
    ) throws -> Result {
        var machine = machine
        machine.startsPaused = true
        return try TestGuest.with(machine, body)
    }
}

/// A user without rights.
enum Nobody {
    /// Why tests of it cannot run.
    static let whyUnavailable: String? =
        geteuid() == 0 ? nil : "only root can become another user"

    /// Before a command.
    static let wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]

    /// Gives a vblktop that everyone may run, installed with its BPF programs: the folders above
    /// the one built may be closed.
    static func with(_ body: (String) throws -> Void) throws {
        let folder = "/var/tmp/vblktop-everyone-\(UUID())"
        let (path, probes) = (folder + "/bin/vblktop", folder + "/share/vblktop/probes")
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for directory in [folder + "/bin", folder + "/share/vblktop"] {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true)
        }
        try FileManager.default.copyItem(atPath: BuiltProgram.path, toPath: path)
        let built = URL(fileURLWithPath: BuiltProgram.path).resolvingSymlinksInPath()
            .deletingLastPathComponent().appendingPathComponent("../../probes").path
        try? FileManager.default.copyItem(atPath: built, toPath: probes)
        try body(path)
    }
}
