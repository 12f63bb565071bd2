//! Why: a trace of the same code that answers.
