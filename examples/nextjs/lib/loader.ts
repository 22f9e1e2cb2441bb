"use client";
// next/image calls this in the browser too. It knows no secret: it picks a width that the signed URL grants.
export { default } from "imgserve/loader";
