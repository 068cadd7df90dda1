import Foundation
import GuestHarness
import Testing

extension GuestTests {
    /// What the doctor says of VMs that are misconfigured in one way each: that, and nothing else.
    @Suite struct DoctorVMTests {
        /// VMs looked at at the same time.
        private static let company = 16
        /// Seconds that most of them are watched.
        private static let short = 11

        /// Rules that this host's storage and CPUs decide, and the rights of who runs the tests,
        /// whatever the VM is like.
        private static let hostsOwn: Set = [
            "nested-virtualization", "cow-filesystem-image", "evidence-missing",
        ]

        @Test func theRecommendedVMHasNoFaultAndEachChangeIsFoundAndNothingElse() throws {
            expectNoFault(try expect(Misconfiguration.ofFiles))
        }

        private func expectNoFault(_ findings: [String: String]) {
            for (flag, evidence) in findings {
                let words = flag.split(separator: " ").map(String.init)
                let isHosts = Self.hostsOwn.contains(words[1])
                // Without KVM this follows from its absence.
                let isTCG =
                    Host.whyNoKVM != nil
                    && ["accel-not-kvm", "guest-clocksource-slow"].contains(words[1])
                #expect(isHosts || isTCG, "\(flag): \(evidence)")
            }
        }

        @Test(.enabled(if: LoopDevice.whyUnavailable == nil, "\(LoopDevice.whyUnavailable ?? "")"))
        func eachFaultBelowAVMIsFoundAndNothingElse() throws {
            _ = try expect(Misconfiguration.ofLoops)
        }

        @Test func eachFaultThatShowsAtWorkIsFoundAndNothingElse() throws {
            _ = try expect(Misconfiguration.atWork)
        }

        /// What is said of their common base, of which each of `faults` is held against its own.
        private func expect(_ faults: [Misconfiguration]) throws -> [String: String] {
            let faults = faults.filter { fault in
                guard let reason = fault.whyLeftOut else { return true }
                print("left out: \(fault.what): \(reason)")
                return false
            }
            let base = try Consultation(
                Misconfiguration("the base", on: faults.first?.base ?? .file))
            // Those that take long go on beside the others.
            let slow = begin(faults.filter { $0.watch > Self.short })
            var healthy: [String: String]?
            var quick = faults.filter { $0.watch <= Self.short }[...]
            while !quick.isEmpty {
                let some = begin(quick.prefix(Self.company))
                quick = quick.dropFirst(Self.company)
                let known = try healthy ?? base.findings()
                healthy = known
                for (fault, consultation) in some {
                    try expect(fault, consultation, besides: known)
                }
            }
            let known = try healthy ?? base.findings()
            for (fault, consultation) in slow { try expect(fault, consultation, besides: known) }
            return known
        }

        /// Starts the VMs, and a doctor at each. One that cannot be is no reason to leave the
        /// others.
        private func begin(
            _ faults: some Sequence<Misconfiguration>
        ) -> [(Misconfiguration, Consultation)] {
            faults.compactMap { fault in
                do { return (fault, try Consultation(fault)) } catch {
                    Issue.record(error, "\(fault.what)")
                    return nil
                }
            }
        }

        private func expect(
            _ fault: Misconfiguration, _ consultation: Consultation, besides base: [String: String]
        ) throws {
            let findings = try consultation.findings()
            let unexpected = findings.filter {
                base[$0.key] == nil && !fault.expected.contains($0.key)
            }
            // What is said of the base too must be said with other evidence.
            let missing = fault.expected.filter { findings[$0] == base[$0] }.sorted()
            #expect(missing.isEmpty, "\(fault.what): not found")
            #expect(unexpected.isEmpty, "\(fault.what): found besides")
        }
    }
}
