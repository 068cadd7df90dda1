import Foundation
import Glibc
import GuestHarness
import Testing

/// Whether tracepoints can be opened here.
private let canTrace =
    geteuid() == 0
    && FileManager.default.fileExists(atPath: "/sys/kernel/tracing/events/syscalls")

extension GuestTests {
    /// Kernel events of a live VM in a recording, held against those who did and counted it.
    @Suite struct KernelEventTests {
        /// What `vblktop query` says of a recording.
        private func ask(_ path: String, _ sql: String) throws -> [JSONValue] {
            let program = try RunningProgram([BuiltProgram.path, "query", path, "--json", sql])
            let ending = try program.ending()
            guard ending.status == 0 else { throw HarnessError(ending.errors) }
            return try ending.lines.map { try JSONValue.parse($0) }
        }

        private func numbers(in text: String) -> [Int] {
            text.split { !$0.isNumber }.compactMap { Int($0) }
        }

        private func number(_ path: String, _ sql: String) throws -> Int? {
            try ask(path, sql).first?["n"]?.number.map { Int($0) }
        }

        /// Reads the file that is being written until its first mark of kernel events is there.
        private func waitForBegin(_ path: String) throws {
            for _ in 0..<200 {
                let begun = try? ask(path, "SELECT text FROM marks WHERE text LIKE '%from here%'")
                if begun?.isEmpty == false { return }
            }
            throw HarnessError("no kernel events are being recorded in \(path)")
        }

        @Test(.enabled(if: canTrace, "only root may open tracepoints, and tracefs is needed"))
        func everySubmittedRequestIsAmongTheRecordedEvents() throws {
            var machine = GuestMachine()
            machine.iothreads = ["io0"]
            machine.disks = [GuestDisk("native", backend: .raw(aio: "native"), iothread: "io0")]
            let path = NSTemporaryDirectory() + "vblktop-events-\(UUID()).vbt"
            defer { try? FileManager.default.removeItem(atPath: path) }
            try TestGuest.with(machine) { guest in
                try guest.waitUntilReady()
                let before = try guest.qmp.blockStatistics()
                let record = try RunningProgram([
                    BuiltProgram.path, "record", "--qmp", guest.monitorPath(), "-d", "0.2",
                    "--events", "--kernel-events", "60", "-o", path,
                ])
                try waitForBegin(path)
                _ = try guest.fio(
                    FioLoad(disks: ["native"], pattern: "randread", until: .requests(500)))
                let after = try guest.qmp.blockStatistics()
                record.signal(SIGINT)
                let ending = try record.ending()
                #expect(ending.status == 130, "\(ending)")

                let marks = try ask(
                    path, "SELECT text FROM marks WHERE text LIKE '%to here%'")
                let end = try #require(marks.first?["text"]?.text)
                // Seen, recorded, lost, hidden.
                let told = numbers(in: end)
                try #require(told.count == 4, "\(end)")
                let recorded = try number(path, "SELECT count(*) n FROM events")
                #expect(recorded == told[1] && told[0] == told[1] + told[2] + told[3], "\(end)")
                #expect(ending.errors.contains("\(told[1]) kernel events in"))

                let (first, last) = (try #require(before["native"]), try #require(after["native"]))
                #expect(last.reads - first.reads >= 500)
                // Neighbours that came together go out as one.
                let did = last.reads - first.reads - (last.mergedReads - first.mergedReads)
                let submitted = try number(
                    path,
                    "SELECT sum(a) n FROM events WHERE name = 'syscalls:sys_enter_io_submit'")
                #expect(submitted == did && told[2] == 0, "\(end)")
            }
        }
    }
}
