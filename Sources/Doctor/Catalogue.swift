extension Rule {
    /// Every rule, by scope.
    public static let all: [Rule] =
        hostRules + diskRules + nfsRules + vmRules + memoryRules + threadRules + ioThreadRules
        + lunRules + throttleRules + imageRules + cacheRules + aioRules + queueRules
        + workloadRules + guestRules + toolRules

    /// The rule called `id`.
    public static func named(_ id: String) -> Rule? { all.first { $0.id == id } }
}
