import Kernel
import Probes
import SystemPackage
import Telemetry
import Testing

/// The least that makes a probe.
private func file(_ lines: String..., column: String = "fold = \"rate\"\nunit = \"per_second\"")
    -> String
{
    (["meaning = \"m\""] + lines).joined(separator: "\n")
        + "\n[[column]]\nkey = \"k\"\ntitle = \"K\"\nmeaning = \"m\"\n" + column + "\n"
}

private func problem(_ toml: String) -> String {
    do {
        _ = try ProbeDefinition(toml: toml, file: "dir/x.toml")
        return ""
    } catch {
        return error.description
    }
}

private let paired = "event = \"tracepoint:a:b\"\nuntil = \"tracepoint:a:c\""

@Suite struct ProbeFileTests {
    @Test func aProbeIsReadWhole() throws {
        let probe = try ProbeDefinition(
            toml: """
                meaning = "waits"
                event = "tracepoint:syscalls:sys_enter_futex"
                filter = "op == 128"
                until = "tracepoint:syscalls:sys_exit_futex"
                until_filter = "ret <= 0"
                roles = ["main", "vcpu"]
                [locks]
                address = "uaddr"
                [event_count]
                kind = "exit"
                field = "op"
                mask = 127
                names = { 0 = "WAIT" }
                prefix = "op "
                detail = "d"
                [[column]]
                key = "p99_us"
                title = "P99"
                unit = "microseconds"
                fold = "p99"
                meaning = "m"
                """, file: "/x/futex.toml")
        #expect(probe.name == "futex")
        #expect(probe.event == .tracepoint(system: "syscalls", name: "sys_enter_futex"))
        #expect(probe.until == .tracepoint(system: "syscalls", name: "sys_exit_futex"))
        #expect(probe.filter == "op == 128" && probe.untilFilter == "ret <= 0")
        #expect(probe.scope == .threads(["main", "vcpu"]))
        #expect(probe.lockField == "uaddr")
        #expect(probe.columns.map(\.fold) == [.p99])
        #expect(probe.columns.first?.column.source == "tracepoint:syscalls:sys_enter_futex")
        #expect(probe.eventNames?.names == .table([0: "WAIT"]))
        #expect(probe.eventNames?.mask == 127 && probe.eventNames?.detail == "d")
    }

    @Test(arguments: [
        ("event = ", "probe dir/x.toml, line 1"),
        (file("event = \"hardware:cycles\""), "line 2: event: \"hardware:cycles\" is neither"),
        (file("event = \"software:cycles\""), "no software event \"cycles\": alignment-faults"),
        (file("event = \"tracepoint:a:../b\""), "more than letters"),
        (file("event = \"software:task-clock\"", "filter = \"a==1\""), "has no fields"),
        (file("event = \"tracepoint:a:b\"", "colour = 1"), "line 3: colour: not a key known here"),
        (file("event = \"tracepoint:a:b\"", "roles = [\"boss\"]"), "line 3: roles: not one of"),
        (file("event = \"tracepoint:a:b\"", "per = \"disk\""), "neither thread nor cpu"),
        (file("event = \"tracepoint:a:b\"", "per = \"cpu\""), "only event counts"),
        (file("event = \"tracepoint:a:b\"", "until_filter = \"a\""), "there is no until"),
        (file("event = 3"), "line 2: event: not a text"),
        (file("event = \"tracepoint:a:b\\u001b\""), "control characters"),
        (
            file("event = \"tracepoint:a:b\"", column: "fold = \"mean\"\nunit = \"count\""),
            "column.fold: \"mean\" needs field"
        ),
        (
            file("event = \"tracepoint:a:b\"", column: "fold = \"p99\"\nunit = \"microseconds\""),
            "needs until"
        ),
        (
            file("event = \"tracepoint:a:b\"", column: "fold = \"rate\"\nunit = \"percent\""),
            "this fold gives per_second"
        ),
        (file(paired, column: "fold = \"median\"\nunit = \"count\""), "line 8: column.fold"),
        ("meaning = \"m\"\nevent = \"tracepoint:a:b\"\n", "nothing becomes of it"),
        (
            "meaning = \"m\"\nevent = \"tracepoint:a:b\"\n[locks]\naddress = \"a\"\n",
            "needs until"
        ),
        (
            "meaning = \"m\"\nevent = \"tracepoint:a:b\"\n[event_count]\nkind = \"trap\"\n",
            "event_count.kind: \"trap\" is not one of interrupt, softirq, exit, injection"
        ),
    ])
    func whatIsWrongIsSaid(toml: String, expected: String) {
        let problem = problem(toml)
        #expect(problem.contains(expected), "\(problem)")
        #expect(problem.contains("x.toml"))
    }

    /// Cut anywhere, a file is refused or read: never a trap.
    @Test func aFileCutShort() throws {
        let whole = file(paired, column: "fold = \"mean\"\nunit = \"microseconds\"")
        #expect(problem(whole) == "")
        for count in whole.indices { _ = problem(String(whole[..<count])) }
    }
}

/// Directories of the test's own making.
private func reader(_ files: [String: String]) -> ProbeLibrary.Reader {
    ProbeLibrary.Reader(
        names: { directory throws(KernelError) in
            let names = files.keys.filter { $0.hasPrefix(directory + "/") }
                .map { String($0.dropFirst(directory.count + 1)) }.sorted()
            if names.isEmpty { throw KernelError("list", directory, .noSuchFileOrDirectory) }
            return names
        },
        text: { path throws(KernelError) in Array((files[path] ?? "").utf8) })
}

@Suite struct ProbeLibraryTests {
    private let good = file("event = \"software:task-clock\"")

    @Test func oneBadFileDisablesNoOther() {
        let reader = reader(["/a/bad.toml": "x", "/a/good.toml": good, "/a/readme": "x"])
        let library = ProbeLibrary(directories: ["/a", "/none"], reader: reader)
        #expect(library.definitions.map(\.name) == ["good"])
        #expect(library.errors.map(\.file) == ["/a/bad.toml"])
    }

    @Test func theUsersFileReplacesTheOneOfItsName() {
        let own = good.replacing("\"K\"", with: "\"OWN\"")
        let reader = reader(["/a/p.toml": good, "/b/p.toml": own])
        let library = ProbeLibrary(directories: ["/a", "/b"], reader: reader)
        #expect(library.definitions.map(\.columns.first?.column.title) == ["OWN"])
        #expect(library.errors.isEmpty)
    }

    @Test func aColumnHasOneOwner() {
        let reader = reader(["/a/p.toml": good, "/a/q.toml": good])
        let library = ProbeLibrary(directories: ["/a"], reader: reader)
        #expect(library.definitions.map(\.name) == ["p"])
        #expect(library.errors.first?.problem == "\"k\" is a column of p.toml already")
    }

    @Test func aDirectoryAskedForMustExist() {
        let library = ProbeLibrary(
            directories: ["/none"], mustExist: "/none", reader: reader([:]))
        #expect(library.errors.first?.description.contains("cannot list /none") == true)
    }

    @Test func theProgramsOwnComeFirst() {
        let environment = { (name: String) in name == "HOME" ? "/h" : nil }
        func directories(_ files: [String: String], _ program: String) -> [String] {
            ProbeLibrary.directories(
                extra: "/x", executable: program, environment: environment, reader: reader(files))
        }
        let user = ["/h/.config/vblktop/probes", "/x"]
        #expect(
            directories(["/usr/share/vblktop/probes/a.toml": ""], "/usr/bin/vblktop")
                == ["/usr/share/vblktop/probes"] + user)
        #expect(
            directories(["/s/probes/a.toml": ""], "/s/.build/linux/debug/vblktop")
                == ["/s/probes"] + user)
        #expect(directories([:], "/usr/bin/vblktop") == user)
    }

    /// Those that come with the program.
    @Test func theBuiltInFilesAreGood() {
        let here = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let library = ProbeLibrary(directories: ["/\(here)/probes"])
        #expect(library.errors == [])
        #expect(library.definitions.count == 14)
        #expect(library.definitions.contains { $0.lockField == "uaddr" })
    }
}
