import fc from 'fast-check';

// For mutants: fewer cases than usual, and no search for the smallest that fails. A mutant that only the cases left out
// would find counts as one that survives.
fc.configureGlobal({ endOnFailure: true, numRuns: 25 });
