package com.algorithmia.development;

/** An algorithm in the form of the ADK: `apply`, and `load` where something is loaded once. */
public abstract class AbstractAlgorithm<I, O> {
    public abstract O apply(I input) throws Exception;

    public void load() throws Exception {}
}
