import Telemetry

extension VMWatch {
    /// The facts of every reader of this VM, each under a title of its own; `nil`: that one has
    /// nothing new. What the process's own descriptors show comes after what QMP says, and counts
    /// more. To be asked once a sample, after its reading.
    mutating func news(at now: Nanoseconds) -> [(title: String, facts: [Fact]?)] {
        let luns = self.luns
        let ofProcess = process == nil ? [] : process?.facts(about: luns, now: now)
        return [
            ("qmp", facts(at: now)), ("proc", ofProcess), ("guest", guest?.facts(at: now)),
        ]
    }
}
