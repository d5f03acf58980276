/** The one file that imports hyparquet and its decompressors. */
export { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
export { compressors } from 'hyparquet-compressors';
