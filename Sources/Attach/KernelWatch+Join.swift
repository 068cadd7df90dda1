import KernelProbes
import Rings
import Telemetry

extension KernelWatch {
    /// Takes the single requests of disks there are: their ring is soon full.
    mutating func drain() {
        guard joined.isRecording, let taken = blocks?.stages.takeRequests(),
            let devices = blocks?.devices
        else { return }
        joined.lost &+= taken.lost
        let names = Dictionary(devices.map { ($1, $0) }, uniquingKeysWith: { $1 })
        let byDevice = Dictionary(grouping: taken.requests) {
            DeviceNumber(major: $0.major, minor: $0.minor)
        }
        for (device, requests) in byDevice {
            guard let name = names[device] else { continue }
            joined.requests.take(requests, of: name)
        }
    }

    /// Gives the requests that `sampler` holds the stamps of the disks' requests they became, and
    /// hands them on.
    mutating func join(
        _ snapshot: inout Snapshot, _ sampler: RingSampler, _ targets: [JoinTarget],
        now: Nanoseconds
    ) {
        joined.maps.update(
            targets.filter { blocks?.devices[$0.disk] != nil }, missed: joined.missed, now: now)
        joined.outcomes = [:]
        // The disks' first: what is over later has begun later.
        recordRequests(blocks != nil && !joined.maps.isEmpty)
        sampler.hold(joined.isRecording)
        if joined.isRecording {
            let before = joined.requests.counts
            var held = sampler.lend()
            // After those: each request of a disk is over before its VM's is.
            drain()
            joined.outcomes = joined.requests.join(
                &held, now: now, place: joined.maps.place(of:))
            sampler.takeBack(held.events)
            joined.note(since: before)
            snapshot.stampSlowest(from: held.events)
            snapshot.fillStages(from: joined.outcomes)
        }
        explain(snapshot.luns)
        if snapshot.luns.contains(where: { $0.rates.stages?.submit != nil }) {
            snapshot.unavailable.removeAll { $0 == VMReading.unseen }
        }
    }

    private mutating func recordRequests(_ isOn: Bool) {
        guard isOn != joined.isRecording else { return }
        do throws(KernelProbeError) {
            try blocks?.stages.record(isOn)
            joined.isRecording = isOn
        } catch {
            joined.isRecording = false
            refusals["block"] = error
        }
    }

    private mutating func explain(_ luns: [LUN]) {
        let (refusal, remapped) = (refusals["block"], remapped)
        joined.explain(luns) { lun in
            if let problem = lun.sectorProblem { return problem }
            guard let disk = lun.hostDisk else { return "it lies on no disk that is known" }
            if remapped.contains(disk) {
                return "\(disk) is made of other disks and has no requests of its own"
            }
            return refusal?.description
        }
    }
}
