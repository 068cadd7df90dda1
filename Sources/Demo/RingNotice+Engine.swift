internal import DataPlane
internal import Rings

extension RingNotice {
    /// Where the virtqueues of `engine` are, whose LUNs are called `names`.
    init(_ engine: Engine, _ names: [String]) {
        self.init(regions: [], places: [])
        for (index, name) in names.enumerated() {
            for ring in engine.ringPlaces(ofLUN: index) {
                regions.append(
                    .init(guest: ring.descriptors, byteCount: ring.byteCount, host: ring.host))
                // The engine's two sides write their events only before they sleep.
                places.append(
                    RingPlace(
                        lun: name, queue: ring.number, size: ring.size, layout: .split,
                        descriptors: ring.descriptors, avail: ring.avail, used: ring.used,
                        features: ring.features, showsPops: false, showsReaps: false))
            }
        }
    }
}
