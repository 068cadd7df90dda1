extension Rule {
    static let workloadRules: [Rule] = []
}
