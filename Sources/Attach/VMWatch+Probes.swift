import Host
import Kernel
import Probes
import Telemetry

extension VMWatch {
    /// Takes what the rings have: they are soon full.
    mutating func drainRings(now: Nanoseconds) {
        probes.drain()
        trace?.drain(now: now)
    }

    /// Adds what the probes saw on the VM's threads.
    mutating func addProbes(to reading: inout VMReading) {
        guard let process else { return }
        if probedGeneration != process.generation {
            probedGeneration = process.generation
            let names = Dictionary(
                reading.threads.map { ($0.tid, $0.name) }, uniquingKeysWith: { first, _ in first })
            probedThreads = process.watchedThreads.map { thread in
                ProbedThread(
                    tid: thread.tid, role: thread.role,
                    name: names[thread.tid] ?? thread.name ?? "thread \(thread.tid)")
            }
            probes.watch(probedThreads, pid: process.pid, vm: nil)
            trace?.watch(probedThreads)
        }
        let seen = probes.sample(clock: Clock.monotonic)
        for index in reading.threads.indices {
            let tid = reading.threads[index].tid
            reading.threads[index].probes = seen.values[tid] ?? []
            reading.threads[index].lockWaits = seen.lockWaits[tid]?.waitsPerSecond
            reading.threads[index].lockWaitPercent = seen.lockWaits[tid]?.percent
        }
        reading.probeColumns = seen.columns
        reading.locks = seen.locks
        reading.eventCounts += seen.eventCounts
        reading.lostEvents = seen.lost &+ seen.hidden
        reading.sources.append(seen.status)
        reading.unavailable += seen.unavailable
    }
}
