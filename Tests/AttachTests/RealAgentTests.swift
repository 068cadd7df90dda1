import Foundation
import GuestHarness
import Host
import Kernel
import Telemetry
import Testing

@testable import Attach

/// Debian's agent, run on this host as in a guest: what it says is what is seen without it.
struct RealAgentTests {
    static let program = "/usr/sbin/qemu-ga"

    @Test(
        .enabled(
            if: FileManager.default.isExecutableFile(atPath: program),
            "qemu-guest-agent is not installed"))
    func saysWhatIsSeenInside() throws {
        let socket = ScriptedServer.freePath()
        let folder = socket + ".d"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer {
            try? FileManager.default.removeItem(atPath: folder)
            try? FileManager.default.removeItem(atPath: socket)
        }
        let agent = try RunningProgram([
            Self.program, "-m", "unix-listen", "-p", socket, "-t", folder,
        ])
        let told = FactSheet(try withExtendedLifetime(agent) { try facts(from: socket) })

        var inside = InsideFacts()
        let seen = FactSheet(inside.read(clock: Clock.monotonic))
        var names: Set<FactName> = Set(GuestAccount.guestNames)
        names.subtract([.fileSystemFreeze, .guestInterrupts, .guestInterruptShare])
        for name in names {
            let subject = Subject(.guest)
            #expect(told[name, subject]?.value == seen[name, subject]?.value, "\(name)")
        }
        #expect(told[.guestKernel, Subject(.guest)]?.value != nil)
        for subject in seen.subjects where subject.scope.kind == .guestDisk {
            for fact in seen.facts where fact.subject == subject && fact.name != .guestIOPS {
                #expect(told[fact.name, subject]?.value == fact.value, "\(fact)")
            }
        }
    }

    /// What the agent says in its first round.
    private func facts(from socket: String) throws -> [Fact] {
        var guest = GuestFacts(path: socket)
        var now: Nanoseconds = 0
        // It listens a few milliseconds after it was started.
        for _ in 0..<2_000_000 where guest.link.descriptor == nil {
            now += AgentLink.longestPause
            guest.step(now: now)
        }
        while let descriptor = guest.link.descriptor {
            _ = try waitForInput([descriptor], timeout: .seconds(30))
            now += 1000
            guest.step(now: now)
        }
        #expect(guest.status(at: now).detail == nil)
        return guest.facts(at: now) ?? []
    }
}
