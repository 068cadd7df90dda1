import Foundation
import GuestHarness
import Testing

/// A live VM on a real terminal.
@Suite(
    .serialized,
    .enabled(if: GuestImage.whyUnavailable == nil, "\(GuestImage.whyUnavailable ?? "")"))
struct AttachScreenTests {
    @Test func theDisksOfALiveVMAreOnEveryScreen() throws {
        var machine = GuestMachine(disks: 4, iothreads: .shared)
        machine.startsPaused = true
        machine.name = "\u{1B}]0;owned\u{7}shown"
        try TestGuest.with(machine) { guest in
            let session = try TmuxSession(columns: 80, rows: 24)
            try session.type("\(BuiltProgram.path) --qmp \(guest.monitorPath()) -d 0.5")
            let isThere = { (screen: String) in
                (0..<4).allSatisfy { screen.contains("disk\($0)") } && screen.contains("LIVE")
            }
            try session.wait(for: "the LUNs at 80x24") {
                isThere($0) && $0.split(separator: "\n").allSatisfy { $0.count <= 80 }
            }
            try session.resize(columns: 200, rows: 50)
            try session.wait(for: "the LUNs at 200x50") {
                isThere($0) && $0.contains("shown")
            }
            try session.press("3")
            try session.wait(for: "the threads") {
                $0.contains("IO io0") && $0.contains("main loop") && $0.contains("CPU 0")
            }
            #expect(try !session.title().contains("owned"))
            try guest.qmp.execute("quit")
            try session.wait(for: "the end of the VM") { !$0.contains("main loop") }
            try session.press("q")
            try session.wait(for: "the shell") {
                $0.split(separator: "\n").last?.hasPrefix("ready>") == true
            }
            #expect(try !session.hasAlternateScreen())
        }
    }
}
