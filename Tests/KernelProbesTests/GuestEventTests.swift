import Kernel
import Telemetry
import Testing

@testable import KernelProbes

@Suite struct GuestEventTests {
    @Test func countsFromWords() {
        var words = [UInt64](repeating: 0, count: GuestEvents.words)
        words.replaceSubrange(0..<5, with: [1, 2, 3, 4, 5])
        (words[5 + 12], words[5 + 240], words[5 + 243], words[5 + 255]) = (6, 7, 8, 9)
        let counts = GuestEvents.Counts(words, without: ["line"])
        #expect(counts.messages == 1 && counts.lines == nil && counts.accepted == 3)
        #expect(counts.ends == 4 && counts.paravirtualEnds == 5)
        #expect(counts.exits == [12: 6, 0x400: 7, 0x403: 8, GuestEvents.otherReason: 9])
        #expect(GuestEvents.Counts(words, without: ["left"]).exits == nil)
    }

    /// Without tracefs nothing can be had, with it what KVM has; either way it is said.
    @Test(.enabled(if: Permission.isGranted, "BPF is refused")) func loads() {
        let hasKVM = (try? FileStatus(of: "/sys/kernel/tracing/events/kvm/kvm_exit")) != nil
        do throws(KernelProbeError) {
            var events = try GuestEvents(processes: [Process.id])
            #expect(events.refusals.count < GuestEvents.programs.count)
            // We are no VM: nothing happens to us.
            #expect(events.sample()[Process.id]?.exits?.isEmpty != false)
        } catch {
            #expect(!hasKVM)
            #expect(error.description.contains("mount -t tracefs"))
        }
    }
}
