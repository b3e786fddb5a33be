package com.algorithmia.development;

/** Taken by the `main` of older algorithms; here the platform calls the algorithm itself. */
public class Handler<I, O> {
    public Handler(AbstractAlgorithm<I, O> algorithm) {}

    public void serve() {}

    public void serve(I input) {}
}
