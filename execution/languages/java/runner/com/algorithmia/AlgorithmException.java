package com.algorithmia;

/** What an algorithm may throw, and what a failed call of another one is. */
public class AlgorithmException extends Exception {
    public AlgorithmException(String message) {
        super(message);
    }

    public AlgorithmException(String message, Throwable cause) {
        super(message, cause);
    }
}
