extension Rule {
    static let memoryRules: [Rule] = []
}
