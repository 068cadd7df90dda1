extension Engine {
    /// Calls that handed requests of LUN `index` to its storage since the start; 0 for a backend
    /// that makes none.
    public func submissions(ofLUN index: Int) -> UInt64 {
        luns[index].counters[DeviceCounter.submissions]
    }

    /// Requests of LUN `index` that its guest was told have failed, since the start.
    public func errors(ofLUN index: Int) -> UInt64 { luns[index].counters[DriverCounter.errors] }
}
